package ingest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"barrage/ingest"
)

func codes(h ingest.Health) []string {
	out := []string{}
	for _, w := range h.Warnings {
		out = append(out, w.Code+" "+w.Severity)
	}
	return out
}

func TestHealth(t *testing.T) {
	r := start(t, nil)
	if h, on := r.Health("live"); on || h.Warnings == nil || h.Refused != nil {
		t.Errorf("Health of an empty room = %+v, %v, want nothing", h, on)
	}
	c := r.publisher(r.key)
	c.must(c.message(typeData, 1, 0, []byte(amfText("@setDataFrame")+amfText("onMetaData")+"\x03"+
		amfField("videodatarate", amfNumber(4000))+amfField("encoder", amfText("test card"))+amfEnd)))
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	r.next("attach live", "track video", "track audio")
	for i := range 101 { // 25 fps, a sync sample every 2 s, 100 kB in 4 s
		nal := byte(nalInter)
		if i%50 == 0 {
			nal = nalIDR
		}
		c.video(uint32(i*40), picture(nal, 0, 1000))
		r.next("sample video")
	}
	c.audio(0, aacFrame)
	r.next("sample audio")
	h, on := r.Health("live")
	if !on || h.Client != "test card" || h.Remote != "127.0.0.1" || h.ConnectedAt == 0 || len(h.Warnings) != 0 {
		t.Errorf("Health = %+v, %v, want a publisher without warnings", h, on)
	}
	if v := h.Video; v == nil || *v != (ingest.VideoHealth{Codec: "h264", Width: 640, Height: 360, FPS: 25, GOPSeconds: 2}) {
		t.Errorf("video %+v, want h264 640x360, 25 fps, 2 s", v)
	}
	if a := h.Audio; a == nil || *a != (ingest.AudioHealth{Codec: "aac", SampleRate: 48000, Channels: 2}) {
		t.Errorf("audio %+v, want aac 48 kHz stereo", a)
	}

	r.advance(5 * time.Second)
	if h, _ = r.Health("live"); h.Bitrate < 160_000 || h.Bitrate > 165_000 {
		t.Errorf("bitrate %d, want 100 kB in 5 s", h.Bitrate)
	}
	c.video(8_500, picture(nalInter, 0, 1000)) // no sync sample for 4.5 s
	r.next("sample video")
	r.advance(500 * time.Millisecond)
	h, _ = r.Health("live")
	if got, want := codes(h), []string{"GOP_TOO_LONG warning", "NO_AUDIO warning"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	c.video(12_500, picture(nalIDR, 0, 1000))
	r.next("sample video")
	r.advance(6 * time.Second)
	h, _ = r.Health("live")
	if got, want := codes(h), []string{"GOP_TOO_LONG critical", "NO_VIDEO warning", "NO_AUDIO warning", "BITRATE_LOW warning"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if text := fmt.Sprint(h.Warnings[0].Value); text != "8.5" {
		t.Errorf("value of GOP_TOO_LONG %s, want 8.5 s", text)
	}
	r.advance(time.Hour)
	if h, _ = r.Health("live"); h.Bitrate != 0 {
		t.Errorf("bitrate %d after an hour of silence, want 0", h.Bitrate)
	}
}

func TestHealthOfOneTrack(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.audio(0, aacHeader)
	c.audio(0, aacFrame)
	r.next("attach live", "track audio", "sample audio")
	r.advance(6 * time.Second)
	c.audio(6000, aacFrame)
	r.next("sample audio")
	h, _ := r.Health("live")
	if got, want := codes(h), []string{"NO_VIDEO info"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

// The studio reads these names.
func TestHealthJSON(t *testing.T) {
	text, err := json.Marshal(ingest.Health{
		ConnectedAt: 1, Remote: "192.0.2.1", Client: "OBS", Bitrate: 2,
		Video:    &ingest.VideoHealth{Codec: "h264", Width: 3, Height: 4, FPS: 5, GOPSeconds: 6},
		Audio:    &ingest.AudioHealth{Codec: "aac", SampleRate: 7, Channels: 8},
		Warnings: []ingest.Warning{{Code: ingest.WarnGOPTooLong, Severity: ingest.SeverityWarning, Value: 9}},
		Refused:  &ingest.Refusal{At: 10, Code: "c", Reason: "r", Remote: "a"},
	})
	want := `{"connected_at":1,"remote":"192.0.2.1","client":"OBS","video":{"codec":"h264","width":3,"height":4,"fps":5,"gop_seconds":6},` +
		`"audio":{"codec":"aac","sample_rate":7,"channels":8},"bitrate":2,"warnings":[{"code":"GOP_TOO_LONG","severity":"warning","value":9}],` +
		`"refused":{"at":10,"code":"c","reason":"r","remote":"a"}}`
	if err != nil || string(text) != want {
		t.Errorf("JSON %s, %v, want %s", text, err, want)
	}
}
