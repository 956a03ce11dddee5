package ingest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"barrage/ingest"
	"barrage/packager/media"
)

// Bodies of messages. The avcC is libx264's for 640x360 at 30 fps.
const (
	avcHeader = "\x17\x00\x00\x00\x00\x01\x4d\x40\x1e\xff\xe1\x00\x18\x67\x4d\x40\x1e\xec\xa0\x50\x17\xfc\xb8\x08\x80\x00\x00" +
		"\x03\x00\x80\x00\x00\x1e\x07\x8b\x16\xcb\x01\x00\x04\x68\xce\x0f\xc8"
	aacHeader = "\xaf\x00\x11\x90" // 48 kHz, stereo
	aacFrame  = "\xaf\x01\x21\x10\x04"
)

// picture returns a message with one slice of n bytes.
func picture(nal byte, cts int32, n int) string {
	slice := string(nal) + strings.Repeat("x", n-1)
	return "\x17\x01" + string([]byte{byte(cts >> 16), byte(cts >> 8), byte(cts)}) +
		string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + slice
}

const (
	nalIDR   = 0x65
	nalInter = 0x41
)

func (c *client) video(timestamp uint32, body string) {
	c.t.Helper()
	c.must(c.message(typeVideo, 1, timestamp, []byte(body)))
}

func (c *client) audio(timestamp uint32, body string) {
	c.t.Helper()
	c.must(c.message(typeAudio, 1, timestamp, []byte(body)))
}

func TestPublish(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	if c.chunk != 65536 {
		t.Errorf("the server's chunk size is %d, want 65536", c.chunk)
	}
	metadata := amfText("@setDataFrame") + amfText("onMetaData") + "\x08\x00\x00\x00\x00" +
		amfField("videocodecid", amfNumber(7)) + amfField("audiocodecid", amfNumber(10)) +
		amfField("videodatarate", amfNumber(2500)) + amfField("encoder", amfText("test card")) + amfEnd
	c.must(c.message(typeData, 1, 0, []byte(metadata)))
	r.next("attach live", "expect video", "expect audio")
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	r.next("track video", "track audio")
	c.video(0, picture(nalIDR, 66, 5000)) // 40 chunks
	c.audio(21, aacFrame)
	c.video(33, picture(nalInter, 133, 300))
	c.video(66, avcHeader) // repeated, as many do at every sync sample
	c.video(66, picture(nalInter, -33, 200))
	r.next("sample video", "sample audio", "sample video", "sample video")
	c.video(100, "\x17\x02\x00\x00\x00")
	c.goodbye(r.key)
	r.next("detach live clean=true")
	c.leave()
	r.stop()
	r.quiet()

	want := []media.Sample{
		{Kind: media.Video, Sync: true, DTS: 0, CTS: 66, Data: []byte(picture(nalIDR, 66, 5000)[5:])},
		{Kind: media.Audio, Sync: true, DTS: 21, Data: []byte(aacFrame[2:])},
		{Kind: media.Video, DTS: 33, CTS: 133, Data: []byte(picture(nalInter, 133, 300)[5:])},
		{Kind: media.Video, DTS: 66, CTS: -33, Data: []byte(picture(nalInter, -33, 200)[5:])},
	}
	for i, got := range r.samples {
		w := want[i]
		if got.Kind != w.Kind || got.Sync != w.Sync || got.DTS != w.DTS || got.CTS != w.CTS || string(got.Data) != string(w.Data) {
			t.Errorf("sample %d = %+v, want %+v", i, got, w)
		}
	}
	video, audio := r.tracks[0], r.tracks[1]
	if video.Width != 640 || video.Height != 360 || video.FrameRate != 30 || video.Bitrate != 2_500_000 || video.TimeScale != 1000 {
		t.Errorf("video track %+v, want 640x360, 30 fps, 2.5 Mb/s", video)
	}
	if audio.SampleRate != 48000 || audio.Channels != 2 {
		t.Errorf("audio track %+v, want 48 kHz stereo", audio)
	}
	if got := r.metric("samples_total", "video"); got != 3 {
		t.Errorf("%v video samples counted, want 3", got)
	}
	if log := r.logs.String(); !strings.Contains(log, "reason=unpublished") || strings.Count(log, "publisher disconnected") != 1 {
		t.Errorf("log does not say once that the publisher stopped by itself:\n%s", log)
	}
}

func TestOneTrackOnly(t *testing.T) {
	for name, publish := range map[string]func(*client){
		"audio": func(c *client) { c.audio(0, aacHeader); c.audio(0, aacFrame) },
		"video": func(c *client) { c.video(0, avcHeader); c.video(0, picture(nalIDR, 0, 10)) },
	} {
		r := start(t, nil)
		c := r.publisher(r.key)
		publish(c)
		r.next("attach live", "track "+name, "sample "+name)
		c.conn.Close()
		r.next("detach live clean=false")
		r.stop()
	}
}

// What makes no sense is dropped and counted, and the publisher stays.
func TestDropped(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.video(0, picture(nalIDR, 0, 10)) // before its configuration
	c.audio(0, aacFrame)
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	c.video(0, "\x17\x00\x00\x00\x00")                         // configuration of no bytes
	c.video(0, "\x17\x01\x00\x00\x00\x00\x00\x00\x09\x65")     // NAL unit longer than the message
	c.video(0, "\x17\x01\x00\x00\x00\x00\x00\x00\x02\x06\x05") // SEI, no picture
	c.video(0, "\x17")
	c.audio(0, "\xaf\x01")
	c.video(0, "\x96\x03avc1\x01\x00\x00\x00\x01\x65") // a second video track
	c.must(c.message(typeData, 1, 0, []byte(amfText("@setDataFrame")+amfText("onMetaData")+"\x08\x00")))
	c.audio(5, aacFrame)
	r.next("attach live", "track video", "track audio", "sample audio")
	for reason, want := range map[string]float64{"no_config": 2, "empty": 3, "malformed": 3, "track": 1} {
		if got := r.metric("samples_dropped_total", reason); got != want {
			t.Errorf("%v dropped as %s, want %v", got, reason, want)
		}
	}
}

func TestConfigurationChange(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.audio(0, aacHeader)
	c.audio(0, aacHeader)
	c.audio(0, "\xaf\x00\x12\x10")
	c.audio(0, aacFrame)
	r.next("attach live", "track audio", "track audio", "sample audio")
	if r.tracks[1].SampleRate != 44100 {
		t.Errorf("track after the change %+v, want 44100 Hz", r.tracks[1])
	}
}

func TestDenied(t *testing.T) {
	r := start(t, nil)
	expired, err := r.keys.Mint("live", time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	old, err := r.keys.Mint("old", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err = r.keys.Rotate("old"); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour)
	for _, c := range []struct{ name, app, key, want string }{
		{"wrong", "live", "live.1.0.AAAAAAAAAAAAAAAAAAAAAA", "the stream key is not valid"},
		{"none", "live", "", "no stream key"},
		{"odd", "live", "a b", "characters that no key has"},
		{"expired", "live", expired, "has expired"},
		{"revoked", "live", old, "replaced by a newer one"},
		{"other room", "live", "other?key=" + r.key, "for another room"},
	} {
		client := dial(t, r.Addr()).connect(c.app, "")
		code, text := client.publish(c.key)
		if code != "NetStream.Publish.Denied" || !strings.Contains(text, c.want) {
			t.Errorf("%s: %s %q, want NetStream.Publish.Denied with %q", c.name, code, text, c.want)
		}
		for _, code := range client.rest() {
			if code == "NetStream.Publish.Start" {
				t.Errorf("%s: Publish.Start was sent", c.name)
			}
		}
		if !strings.Contains(r.logs.String(), c.want) {
			t.Errorf("%s: the log does not say why", c.name)
		}
		if strings.Contains(r.logs.String(), "AAAAAAAA") {
			t.Errorf("%s: the key is in the log", c.name)
		}
	}
	r.quiet()
	if got := r.metric("publishes_total", "denied"); got != 6 {
		t.Errorf("%v publishes denied, want 6", got)
	}
	if h, on := r.Health("live"); on || h.Refused == nil || !strings.Contains(h.Refused.Reason, "for another room") {
		t.Errorf("Health = %+v, %v, want the last refusal", h, on)
	}
	if h, _ := r.Health("nobody"); h.Refused != nil {
		t.Errorf("Health of an unknown room = %+v, want nothing", h)
	}
}

func TestDeniedRoomIsNotBelieved(t *testing.T) {
	r := start(t, nil)
	dial(t, r.Addr()).connect("live", "").publish("stranger.1.0.AAAAAAAAAAAAAAAAAAAAAA")
	if h, _ := r.Health("stranger"); h.Refused != nil {
		t.Errorf("Health of a room that only a wrong key names = %+v, want nothing kept", h)
	}
}

// A wrong key's answer comes later and later; a right key's does not.
func TestWrongKeysWait(t *testing.T) {
	r := start(t, nil)
	var took time.Duration
	for range 4 {
		began := time.Now()
		dial(t, r.Addr()).connect("live", "").publish("live.1.0.AAAAAAAAAAAAAAAAAAAAAA")
		took = time.Since(began)
	}
	if took < 250*time.Millisecond {
		t.Errorf("the fourth wrong key was answered after %v, want a delay of 250ms", took)
	}
	r.publisher(r.key)
}

func TestOpenMode(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.Auth.Mode = ingest.AuthOpen })
	r.publisher("party")
	r.next("attach party")
	if code, text := dial(t, r.Addr()).connect("live", "").publish("No Room"); code != "NetStream.Publish.Denied" {
		t.Errorf("a bad room name: %s %q, want NetStream.Publish.Denied", code, text)
	}
}

func TestKeyPositions(t *testing.T) {
	r := start(t, nil)
	for _, c := range []struct{ app, tcURL, name string }{
		{"live", "", r.key},
		{"live/" + r.key, "", ""},
		{"live", "", "live?key=" + r.key},
		{"live?key=" + r.key, "", ""},
		{"live", "rtmp://h/live?key=" + r.key, "live"},
	} {
		p := dial(t, r.Addr()).connect(c.app, c.tcURL)
		p.mustPublish(c.name)
		p.leave()
		r.next("attach live", "detach live clean=false")
	}
}

func TestRejectedMedia(t *testing.T) {
	for name, c := range map[string]struct {
		send func(*client)
		want string
	}{
		"AV1":  {func(c *client) { c.video(0, "\x90av01\x01") }, "video codec AV1 is not carried"},
		"Opus": {func(c *client) { c.audio(0, "\x90Opus\x01") }, "audio codec Opus is not carried"},
		"MP2":  {func(c *client) { c.audio(0, "\x2f\xff\xfd\x90\x64") }, "audio codec MPEG audio layer II is not carried"},
		"bad SPS": {func(c *client) {
			c.video(0, "\x17\x00\x00\x00\x00\x01\x4d\x40\x1e\xff\xe1\x00\x01\x67\x01\x00\x01\x68")
		}, "parse SPS"},
	} {
		r := start(t, nil)
		p := r.publisher(r.key)
		c.send(p)
		body := p.expect("onStatus")
		if code, text := property(body, "code"), property(body, "description"); code != "NetStream.Publish.Rejected" || !strings.Contains(text, c.want) {
			t.Errorf("%s: %s %q, want NetStream.Publish.Rejected with %q", name, code, text, c.want)
		}
		p.rest()
		r.next("attach live", "detach live clean=false")
		if h, _ := r.Health("live"); h.Refused == nil || !strings.Contains(h.Refused.Reason, c.want) {
			t.Errorf("%s: Health = %+v, want the reason", name, h)
		}
		if !strings.Contains(r.logs.String(), c.want) {
			t.Errorf("%s: the log does not say why", name)
		}
		r.stop()
	}
}

func TestMessageTooLong(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.audio(0, aacHeader)
	r.next("attach live", "track audio")
	_ = c.message(typeAudio, 1, 0, make([]byte, 1<<20+1)) // the server may close before it has all of it
	c.rest()
	r.next("detach live clean=false")
	if !strings.Contains(r.logs.String(), "audio of more than 1048576 bytes") {
		t.Errorf("the log does not say why:\n%s", r.logs)
	}
}

func TestMaxBitrate(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.MaxBitrate = 100_000 })
	c := r.publisher(r.key)
	c.video(0, avcHeader)
	c.video(0, picture(nalIDR, 0, 100_000))
	r.next("attach live", "track video", "sample video")
	r.advance(5 * time.Second)
	c.video(5000, picture(nalInter, 0, 10))
	c.rest()
	r.next("detach live clean=false")
	if !strings.Contains(r.logs.String(), "160 kb/s are more than this server takes, 100") {
		t.Errorf("the log does not say why:\n%s", r.logs)
	}
}

// A line that was dead for nine seconds brings them all at once: that is no bitrate.
func TestCatchingUp(t *testing.T) {
	r := start(t, func(c *ingest.Config, _ *rig) { c.MaxBitrate = 100_000 })
	c := r.publisher(r.key)
	c.video(0, avcHeader)
	c.video(0, picture(nalIDR, 0, 100))
	r.next("attach live", "track video", "sample video")
	send := func(at int) {
		c.video(uint32(at*1000), picture(nalInter, 0, 8_000)) // 64 kb/s
		r.next("sample video")
	}
	for at := 1; at <= 60; at++ {
		r.advance(time.Second)
		if at%20 >= 11 { // nothing arrives, until at%20 is 0
			continue
		}
		if at%20 == 0 {
			for missed := at - 9; missed < at; missed++ {
				send(missed)
			}
		}
		send(at)
	}
	if _, live := r.Health("live"); !live {
		t.Errorf("the publisher is gone: %s", r.logs)
	}
}

// A fault in what takes the samples ends that publisher, not the server.
func TestSinkPanics(t *testing.T) {
	r := start(t, func(_ *ingest.Config, r *rig) {
		r.onSample = func(m media.Sample) error {
			if m.DTS == 1 {
				panic("boom")
			}
			if m.DTS == 2 {
				return errors.New("disk full")
			}
			return nil
		}
		detached := false
		r.onDetach = func() {
			if detached = !detached; !detached {
				panic("and again")
			}
		}
	})
	for i, want := range []string{"Panic: boom", "disk full"} {
		c := r.publisher(r.key)
		c.audio(0, aacHeader)
		c.audio(uint32(i+1), aacFrame)
		c.rest()
		r.next("attach live", "track audio")
		if i == 0 {
			r.next("detach live clean=false")
		}
		if !strings.Contains(r.logs.String(), want) {
			t.Errorf("log without %q:\n%s", want, r.logs)
		}
	}
	if !strings.Contains(r.logs.String(), "panic while closing a connection") {
		t.Error("the panic of Detach is not in the log")
	}
	r.publisher(r.key)
	r.next("attach live")
}

// One connection may publish, stop, and publish again.
func TestPublishAgain(t *testing.T) {
	for name, stop := range map[string]func(*client){
		"FCUnpublish":  func(c *client) { c.command(0, amfText("FCUnpublish"), amfNumber(4), amfNull, amfText("x")) },
		"deleteStream": func(c *client) { c.command(0, amfText("deleteStream"), amfNumber(4), amfNull, amfNumber(1)) },
		"closeStream":  func(c *client) { c.command(1, amfText("closeStream"), amfNumber(0), amfNull) },
	} {
		r := start(t, nil)
		c := r.publisher(r.key)
		stop(c)
		r.next("attach live", "detach live clean=true")
		c.audio(0, aacHeader) // behind its own goodbye
		c.command(0, amfText("createStream"), amfNumber(5), amfNull)
		c.expect("_result")
		stream := uint32(2)
		if name == "deleteStream" {
			stream = 1
		}
		c.command(stream, amfText("publish"), amfNumber(6), amfNull, amfText(r.key), amfText("live"))
		if code := property(c.expect("onStatus"), "code"); code != "NetStream.Publish.Start" {
			t.Errorf("%s: publish again: %s, want NetStream.Publish.Start", name, code)
		}
		r.next("attach live")
		r.stop()
	}
}

func TestPublishTwice(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.command(0, amfText("createStream"), amfNumber(5), amfNull)
	c.expect("_result")
	c.command(2, amfText("publish"), amfNumber(6), amfNull, amfText(r.key), amfText("live"))
	c.rest()
	r.next("attach live", "detach live clean=false")
}

func TestPlayIsRefused(t *testing.T) {
	r := start(t, nil)
	c := dial(t, r.Addr()).connect("live", "")
	c.command(1, amfText("play"), amfNumber(0), amfNull, amfText("live"))
	for _, code := range c.rest() {
		if code == "NetStream.Play.Start" {
			t.Error("play was accepted")
		}
	}
	if !strings.Contains(r.logs.String(), "playing over RTMP is not served") {
		t.Errorf("the log does not say why:\n%s", r.logs)
	}
}

func TestKick(t *testing.T) {
	r := start(t, nil)
	if r.Kick("live") {
		t.Error("Kick of an empty room: true")
	}
	c := r.publisher(r.key)
	if !r.Kick("live") {
		t.Error("Kick: false")
	}
	c.rest()
	r.next("attach live", "detach live clean=false")
	if !strings.Contains(r.logs.String(), "reason=kicked") {
		t.Errorf("the log does not say why:\n%s", r.logs)
	}
}
