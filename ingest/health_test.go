package ingest_test

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
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
	for i := range 101 { // 4 s at 25 fps, a sync sample every 2 s, 1 kB each
		nal := byte(nalInter)
		if i%50 == 0 {
			nal = nalIDR
		}
		c.video(uint32(i*40), picture(nal, 0, 1000))
		c.audio(uint32(i*40), aacFrame)
		r.next("sample video", "sample audio")
		r.advance(40 * time.Millisecond)
	}
	h, on := r.Health("live")
	if !on || h.Client != "test card" || h.Remote != "127.0.0.1" || h.ConnectedAt == 0 || len(h.Warnings) != 0 {
		t.Errorf("Health = %+v, %v, want a publisher without warnings", h, on)
	}
	if h.Bitrate < 200_000 || h.Bitrate > 210_000 || h.Lag != 0 || h.AVDrift != 0 {
		t.Errorf("Health = %+v, want 25 kB a second, no lag, no drift", h)
	}
	if v := h.Video; v == nil || *v != (ingest.VideoHealth{Codec: "h264", Width: 640, Height: 360, FPS: 25, GOPSeconds: 2}) {
		t.Errorf("video %+v, want h264 640x360, 25 fps, 2 s", v)
	}
	if a := h.Audio; a == nil || *a != (ingest.AudioHealth{Codec: "aac", SampleRate: 48000, Channels: 2}) {
		t.Errorf("audio %+v, want aac 48 kHz stereo", a)
	}

	r.advance(4460 * time.Millisecond)
	c.video(8_500, picture(nalInter, 0, 1000)) // no sync sample for 4.5 s
	r.next("sample video")
	r.advance(600 * time.Millisecond)
	h, _ = r.Health("live")
	if got, want := codes(h), []string{"GOP_TOO_LONG warning", "NO_AUDIO warning"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	r.advance(3400 * time.Millisecond)
	c.video(12_500, picture(nalIDR, 0, 1000))
	r.next("sample video")
	r.advance(6 * time.Second)
	h, _ = r.Health("live")
	if got, want := codes(h), []string{"GOP_TOO_LONG critical", "NO_VIDEO critical", "NO_AUDIO warning", "BITRATE_LOW warning"}; !slices.Equal(got, want) {
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

// Sound that runs ahead, and a line too slow for what is sent.
func TestHealthOfTimes(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.MaxBitrate = 100_000 })
	c := r.publisher(r.key)
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	r.next("attach live", "track video", "track audio")
	send := func(video, audio int) {
		c.video(uint32(video), picture(nalIDR, 0, 100))
		c.audio(uint32(audio), aacFrame)
		r.next("sample video", "sample audio")
	}
	for i := range 40 { // 100 ms of media take 100 ms
		send(i*100, i*100+3000)
		r.advance(100 * time.Millisecond)
	}
	h, _ := r.Health("live")
	if got, want := codes(h), []string{"AV_DRIFT critical"}; !slices.Equal(got, want) || h.AVDrift != 3000 || h.Lag != 0 {
		t.Errorf("warnings %q, drift %d, lag %d, want %q, 3000, 0", got, h.AVDrift, h.Lag, want)
	}
	for i := 40; i < 80; i++ { // 100 ms of media take 200 ms
		send(i*100, i*100)
		r.advance(200 * time.Millisecond)
	}
	h, _ = r.Health("live")
	if got, want := codes(h), []string{"SENDER_BEHIND warning"}; !slices.Equal(got, want) || h.Lag < 3000 || h.Lag > 4000 || h.AVDrift != 0 {
		t.Errorf("warnings %q, lag %d, drift %d, want %q, nearly 4000, 0", got, h.Lag, h.AVDrift, want)
	}
	for metric, want := range map[string]float64{"worst_lag_seconds": float64(h.Lag) / 1000, "worst_gop_seconds": 0.1, "worst_av_drift_seconds": 0} {
		if got := r.metric(metric, ""); got != want {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	for code, want := range map[string]float64{ingest.WarnSenderBehind: 1, ingest.WarnAVDrift: 0, ingest.WarnGOPTooLong: 0} {
		if got := r.metric("publisher_warnings", code); got != want {
			t.Errorf("publishers with %s: %v, want %v", code, got, want)
		}
	}
	for i := 80; i < 130; i++ { // the line is free again, and then full
		c.video(uint32(i*100), picture(nalIDR, 0, 2300))
		r.next("sample video")
		r.advance(200 * time.Millisecond)
	}
	h, _ = r.Health("live")
	if got := codes(h); !slices.Contains(got, "BITRATE_HIGH warning") || !slices.Contains(got, "SENDER_BEHIND critical") {
		t.Errorf("warnings %q, want BITRATE_HIGH warning and SENDER_BEHIND critical", got)
	}
	for _, line := range []string{"code=AV_DRIFT status=critical", "code=SENDER_BEHIND status=warning", "code=SENDER_BEHIND status=critical"} {
		if n := strings.Count(r.logs.String(), line); n != 1 {
			t.Errorf("%d log lines with %s, want 1", n, line)
		}
	}
}

// The round trip is measured with the first ping, and again every 10 s with a
// client that has answered the one before.
func TestRoundTrip(t *testing.T) {
	r := start(t, nil)
	c := dial(t, r.Addr())
	c.command(0, amfText("connect"), amfNumber(1), "\x03", amfField("app", amfText("live")), amfEnd)
	pong := func(took time.Duration) {
		token := c.expectPing()
		r.advance(took)
		c.must(c.message(typeUserControl, 0, 0, append([]byte{0, 7}, token...)))
	}
	pong(12_300 * time.Microsecond)
	c.command(0, amfText("createStream"), amfNumber(2), amfNull)
	c.mustPublish(r.key)
	c.audio(0, aacHeader)
	r.next("attach live", "track audio")
	send := func() {
		r.advance(time.Second)
		c.audio(0, aacFrame)
		r.next("sample audio")
	}
	send()
	if h, _ := r.Health("live"); h.RTT != 12.3 {
		t.Errorf("RTT %v, want 12.3 ms", h.RTT)
	}
	for range 9 {
		send()
	}
	pong(50 * time.Millisecond)
	c.audio(0, aacFrame) // behind the answer
	r.next("sample audio")
	send()
	if h, _ := r.Health("live"); h.RTT != 50 {
		t.Errorf("RTT %v after the second ping, want 50 ms", h.RTT)
	}
	if got := r.metric("worst_rtt_seconds", ""); got != 0.05 {
		t.Errorf("worst RTT %v, want 0.05 s", got)
	}
	for range 10 {
		send()
	}
	c.expectPing() // this one is not answered
	for range 30 {
		send()
	}
	c.goodbye(r.key)
	r.next("detach live clean=true")
	_ = c.conn.(*net.TCPConn).CloseWrite()
	for {
		kind, body, err := c.read()
		if err != nil {
			break
		}
		if kind == typeUserControl && body[1] == 6 {
			t.Error("another ping for a client that did not answer the last one")
		}
	}
}

func TestReconnectsAreCountedPerBroadcast(t *testing.T) {
	r := start(t, nil)
	for i, session := range []string{"one", "one", "one", "two"} {
		r.session.Store(session)
		r.publisher(r.key)
		r.next("attach live")
		if h, _ := r.Health("live"); h.Reconnects != []int{0, 1, 2, 0}[i] {
			t.Errorf("publisher %d, of broadcast %s: %d reconnects", i, session, h.Reconnects)
		}
		r.Kick("live")
		r.next("detach live clean=false")
	}
	b := ingest.NewBroadcasts()
	for i := range 10_000 {
		b.Attached(fmt.Sprintf("room-%d", i), "s")
	}
	if b.Len() > 4096 {
		t.Errorf("%d rooms remembered, want a bound", b.Len())
	}
}

func TestLag(t *testing.T) {
	const s = time.Second
	type sample struct {
		at  time.Duration
		dts int64
	}
	steady := func(n int, from time.Duration, dts int64) (out []sample) {
		for i := range n {
			d := time.Duration(i) * 40 * time.Millisecond
			out = append(out, sample{from + d, dts + d.Milliseconds()})
		}
		return out
	}
	for _, c := range []struct {
		name    string
		samples []sample
		at      time.Duration
		want    int64
	}{
		{"nothing yet", nil, s, 0},
		{"keeps up, from any number", steady(100, 0, 16_780_000), 4 * s, 0},
		{"two seconds of buffer at the start", append([]sample{{0, 0}, {0, 1000}, {0, 2000}}, steady(100, 0, 2040)...), 4 * s, 0},
		{"jitter", append(steady(100, 0, 0), sample{4300 * time.Millisecond, 4000}, sample{4301 * time.Millisecond, 4300}), 4400 * time.Millisecond, 0},
		{"frozen for 5 s, then on from where it was", append(steady(100, 0, 0), steady(100, 9*s, 4000)...), 13 * s, 4999},
		{"frozen for 5 s, then caught up", append(steady(100, 0, 0), steady(100, 9*s, 9000)...), 13 * s, 0},
		{"silent now", steady(100, 0, 0), 8 * s, 4040},
		{"times jump an hour ahead", append(steady(100, 0, 0), steady(100, 4*s, 3_604_000)...), 8 * s, 0},
		{"times jump back 10 s", append(steady(500, 0, 0), steady(100, 20*s, 10_000)...), 24 * s, 0},
		{"a clock 100 ppm slow for 10 h", []sample{{0, 0}, {10 * time.Hour, 36_000_000 - 3600}}, 10 * time.Hour, 0},
	} {
		var track ingest.Track
		for _, x := range c.samples {
			track.Sample(x.at, x.dts)
		}
		if got := track.Lag(c.at); got != c.want {
			t.Errorf("%s: lag %d ms, want %d", c.name, got, c.want)
		}
	}
}

func TestOnlyNewsIsLogged(t *testing.T) {
	now := time.Now()
	warning := ingest.Warning{Code: ingest.WarnNoAudio, Severity: ingest.SeverityWarning}
	critical := ingest.Warning{Code: ingest.WarnNoAudio, Severity: ingest.SeverityCritical}
	other := ingest.Warning{Code: ingest.WarnGOPTooLong, Severity: ingest.SeverityWarning}
	var l ingest.Lookout
	for i, c := range []struct {
		after int // seconds
		have  []ingest.Warning
		want  []ingest.Warning
	}{
		{0, nil, nil},
		{1, []ingest.Warning{warning}, []ingest.Warning{warning}},
		{1, []ingest.Warning{warning}, nil},
		{1, []ingest.Warning{critical, other}, []ingest.Warning{critical, other}},
		{1, []ingest.Warning{warning}, nil}, // better
		{1, nil, nil},
		{1, []ingest.Warning{warning}, nil}, // again within a minute
		{1, nil, nil},
		{60, []ingest.Warning{warning}, []ingest.Warning{warning}},
	} {
		now = now.Add(time.Duration(c.after) * time.Second)
		if got := l.News(now, c.have); !slices.Equal(got, c.want) {
			t.Errorf("look %d: news %v, want %v", i, got, c.want)
		}
	}
}

// The studio reads these names.
func TestHealthJSON(t *testing.T) {
	text, err := json.Marshal(ingest.Health{
		ConnectedAt: 1, Remote: "192.0.2.1", Client: "OBS", Bitrate: 2, AVDrift: -11, Lag: 12, RTT: 13.5, Reconnects: 14,
		Video:    &ingest.VideoHealth{Codec: "h264", Width: 3, Height: 4, FPS: 5, GOPSeconds: 6},
		Audio:    &ingest.AudioHealth{Codec: "aac", SampleRate: 7, Channels: 8},
		Warnings: []ingest.Warning{{Code: ingest.WarnGOPTooLong, Severity: ingest.SeverityWarning, Value: 9}},
		Refused:  &ingest.Refusal{At: 10, Code: "c", Reason: "r", Remote: "a"},
	})
	want := `{"connected_at":1,"remote":"192.0.2.1","client":"OBS","video":{"codec":"h264","width":3,"height":4,"fps":5,"gop_seconds":6},` +
		`"audio":{"codec":"aac","sample_rate":7,"channels":8},"bitrate":2,"av_drift_ms":-11,"lag_ms":12,"rtt_ms":13.5,"reconnects":14,"warnings":[{"code":"GOP_TOO_LONG","severity":"warning","value":9}],` +
		`"refused":{"at":10,"code":"c","reason":"r","remote":"a"}}`
	if err != nil || string(text) != want {
		t.Errorf("JSON %s, %v, want %s", text, err, want)
	}
}
