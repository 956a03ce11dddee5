package ingest_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"barrage/packager/media"
)

func bin(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Parameter sets: H.264 640x360 of avcHeader, others for 1280x720, HEVC 640x360.
const (
	smallSPS = "674d401eeca05017fcb80880000003008000001e078b16cb"
	smallPPS = "68ce0fc8"
	largeSPS = "6764001facd9405005bb016a02020280000003008000001e078c18cb"
	largePPS = "68ebe3cb"
	hevcVPS  = "40010c01ffff016000000300900000030000 03003f959409"
	hevcSPS  = "420101016000000300900000030000 03003fa0050201 71f2e595952930bc05a02000000300200000030 3c1"
	hevcPPS  = "4401c073c189"
	hvcc     = "01 01 60000000 900000000000 3f f000 fc fd f8 f8 0000 0f 03 20 0001 0018" + hevcVPS + "21 0001 002b" + hevcSPS + "22 0001 0006" + hevcPPS
)

// unit joins NAL units as an access unit has them.
func unit(t *testing.T, nals ...string) string {
	t.Helper()
	var b []byte
	for _, n := range nals {
		nal := bin(t, n)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(nal))), nal...)
	}
	return string(b)
}

func TestHEVC(t *testing.T) {
	for name, head := range map[string]struct{ config, sync, inter string }{
		"codec id 12":        {"\x1c\x00\x00\x00\x00", "\x1c\x01\x00\x00\x42", "\x2c\x01\x00\x00\x00"},
		"enhanced":           {"\x90hvc1", "\x91hvc1\x00\x00\x42", "\xa3hvc1"},
		"frame type 0":       {"\x80hvc1", "\x81hvc1\x00\x00\x42", "\x83hvc1"},
		"multitrack, one of": {"\x96\x00hvc1\x00", "\x96\x01hvc1\x00\x00\x00\x42", "\xa6\x03hvc1\x00"},
	} {
		r := start(t, nil)
		c := r.publisher(r.key)
		c.video(0, head.config+bin(t, hvcc))
		c.video(0, head.sync+unit(t, "2a01af"))
		c.video(33, head.inter+unit(t, "1001aa")) // RASL
		c.video(66, head.inter+unit(t, "0201aa"))
		c.video(66, head.config+bin(t, hvcc))
		c.video(100, head.inter+unit(t, "2601aa"))
		r.next("attach live", "track video", "sample video", "sample video", "sample video", "sample video")
		if tr := r.tracks[0]; tr.Codec != media.HEVC || tr.Width != 640 || tr.Height != 360 || string(tr.Config) != bin(t, hvcc) {
			t.Errorf("%s: track %+v, want HEVC 640x360", name, tr)
		}
		for i, want := range []media.Sample{{Sync: true, CTS: 66}, {Leading: true}, {}, {Sync: true}} {
			if s := r.samples[i]; s.Sync != want.Sync || s.Leading != want.Leading || s.CTS != want.CTS {
				t.Errorf("%s: sample %d %+v, want %+v", name, i, s, want)
			}
		}
		if log := r.logs.String(); strings.Count(log, "codec that not every player has") != 1 {
			t.Errorf("%s: the log does not say once whom HEVC shuts out:\n%s", name, log)
		}
		r.stop()
	}
}

func TestMP3(t *testing.T) {
	frame := "\xff\xfb\x90\x64" + strings.Repeat("x", 413)
	r := start(t, nil)
	c := r.publisher(r.key)
	c.audio(0, "\x2f"+frame)
	c.audio(26, "\x2f"+frame+frame)
	c.audio(78, "\x91.mp3"+frame)
	c.audio(80, "\x2fID3...")
	c.audio(104, "\x2f\xff\xfb\x90\xc4"+strings.Repeat("x", 413)) // mono
	r.next("attach live", "track audio", "sample audio", "sample audio", "sample audio", "sample audio", "track audio", "sample audio")
	for i, want := range []int64{0, 26, 52, 78, 104} {
		if s := r.samples[i]; s.DTS != want || !s.Sync || len(s.Data) != 417 {
			t.Errorf("sample %d at %d, %d bytes, want %d, 417", i, s.DTS, len(s.Data), want)
		}
	}
	if tr := r.tracks[0]; tr.Codec != media.MP3 || tr.SampleRate != 44100 || tr.Channels != 2 || len(tr.Config) != 4 {
		t.Errorf("track %+v, want MP3, 44100 Hz stereo", tr)
	}
	if tr := r.tracks[1]; tr.Channels != 1 {
		t.Errorf("track after the change %+v, want mono", tr)
	}
	if got := r.metric("samples_dropped_total", "malformed"); got != 1 {
		t.Errorf("%v dropped as malformed, want 1", got)
	}
}

// The encoder's header lies, and says so again and again: what is in band counts,
// and changes the track once.
func TestInBandSets(t *testing.T) {
	const frame = "\x17\x01\x00\x00\x00"
	r := start(t, nil)
	c := r.publisher(r.key)
	for at := uint32(0); at < 4000; at += 2000 {
		c.video(at, avcHeader)
		c.video(at, frame+unit(t, largeSPS, largePPS, "658884"))
		c.video(at+33, frame+unit(t, "68ce0fc9", "41aa")) // not at a sync sample
	}
	c.video(4000, frame+unit(t, smallSPS, smallPPS, "658884"))
	c.video(6000, frame+unit(t, "67ff", "658884")) // makes no sense, changes nothing
	r.next("attach live", "track video", "track video", "sample video", "sample video", "sample video", "sample video",
		"track video", "sample video", "sample video")
	for i, want := range []int{640, 1280, 640} {
		if r.tracks[i].Width != want {
			t.Errorf("track %d is %d wide, want %d", i, r.tracks[i].Width, want)
		}
	}
	if want := []byte(bin(t, largeSPS)); !bytes.Contains(r.tracks[1].Config, want) {
		t.Errorf("config %x, want one with %x", r.tracks[1].Config, want)
	}
	if got := r.metric("samples_dropped_total", "malformed"); got != 1 {
		t.Errorf("%v dropped as malformed, want 1", got)
	}
}

func TestSetsOnlyInBand(t *testing.T) {
	for name, c := range map[string]struct{ header, frame, sets string }{
		"no header":        {"", "\x17\x01\x00\x00\x00", smallSPS + " " + smallPPS + " 658884"},
		"empty avcC":       {"\x17\x00\x00\x00\x00\x01\x4d\x40\x1e\xff\xe0\x00", "\x17\x01\x00\x00\x00", smallSPS + " " + smallPPS + " 658884"},
		"HEVC, no header":  {"", "\x83hvc1", ""},
		"HEVC, empty hvcC": {"\x90hvc1" + bin(t, hvcc)[:22] + "\x00", "\x93hvc1", ""},
	} {
		nals := strings.Fields(c.sets)
		if c.sets == "" {
			nals = []string{hevcVPS, hevcSPS, hevcPPS, "2601af"}
		}
		r := start(t, nil)
		p := r.publisher(r.key)
		if c.header != "" {
			p.video(0, c.header)
		}
		p.video(0, c.frame+unit(t, nals[len(nals)-1])) // nothing to decode it with
		p.video(33, c.frame+unit(t, nals...))
		p.video(66, c.frame+unit(t, nals...))
		r.next("attach live", "track video", "sample video", "sample video")
		if r.tracks[0].Width != 640 || r.metric("samples_dropped_total", "no_config") != 1 {
			t.Errorf("%s: track %+v, want 640x360 from the second picture", name, r.tracks[0])
		}
		r.stop()
	}
}

// Further tracks are counted and reported once, whatever their codec.
func TestFurtherTracks(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	c.video(0, avcHeader)
	c.audio(0, aacHeader)
	c.video(0, "\x96\x00av01\x01\x81\x00")
	c.audio(0, "\x95\x00Opus\x02\x81\x00")
	slice := unit(t, "658884")
	c.video(0, "\x96\x13avc1\x00\x00\x00\x07"+slice+"\x01\x00\x00\x07"+slice+"\x05\x00\x00\x07"+slice)
	c.audio(0, aacFrame)
	r.next("attach live", "track video", "track audio", "sample video", "sample audio")
	if got := r.metric("samples_dropped_total", "track"); got != 4 {
		t.Errorf("%v dropped as track, want 4", got)
	}
	log := r.logs.String()
	if strings.Count(log, "further track not played") != 2 || !strings.Contains(log, "codec=AV1") || !strings.Contains(log, "codec=Opus") {
		t.Errorf("the log does not name each kind of further track once:\n%s", log)
	}
}

// A change of codec is a change of track, also when a header was seen before.
func TestCodecChange(t *testing.T) {
	r := start(t, nil)
	c := r.publisher(r.key)
	frame := "\x2f\xff\xfb\x90\x64" + strings.Repeat("x", 413)
	c.audio(0, aacHeader)
	c.audio(0, aacFrame)
	c.audio(21, frame)
	c.audio(47, aacFrame) // its decoder is gone
	c.audio(47, aacHeader)
	c.audio(47, aacFrame)
	r.next("attach live", "track audio", "sample audio", "track audio", "sample audio", "track audio", "sample audio")
	if got := r.metric("samples_dropped_total", "no_config"); got != 1 {
		t.Errorf("%v dropped as no_config, want 1", got)
	}
}
