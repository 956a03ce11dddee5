package flv_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"barrage/ingest/flv"
	"barrage/packager/media"
)

// An hvcC as ffmpeg's libx265 writes it, without its SEI: Main profile, level
// 2.1, 640x360, 30 fps.
const (
	hvcc = "01 01 60000000 900000000000 3f f000 fc fd f8 f8 0000 0f 03" +
		"20 0001 0018" + vps + "21 0001 002b" + hevcSPS + "22 0001 0006" + hevcPPS
	vps     = "40010c01ffff016000000300900000030000 03003f959409"
	hevcSPS = "420101016000000300900000030000 03003fa0050201 71f2e595952930bc05a02000000300200000030 3c1"
	hevcPPS = "4401c073c189"
)

// Parameter sets of avcc, and others of the same ids: 1280x720 in High.
const (
	avcSPS  = "674d401eeca05017fcb80880000003008000001e078b16cb"
	avcPPS  = "68ce0fc8"
	highSPS = "6764001facd9405005bb016a02020280000003008000001e078c18cb"
	highPPS = "68ebe3cb"
)

// au joins NAL units, each behind its length.
func au(tb testing.TB, nals ...string) []byte {
	tb.Helper()
	var b []byte
	for _, n := range nals {
		nal := unhex(tb, n)
		b = binary.BigEndian.AppendUint32(b, uint32(len(nal)))
		b = append(b, nal...)
	}
	return b
}

func TestHEVCTrack(t *testing.T) {
	config := unhex(t, hvcc)
	got, err := flv.VideoTrack(media.HEVC, config)
	if err != nil {
		t.Fatal(err)
	}
	if got.Codec != media.HEVC || got.Width != 640 || got.Height != 360 || got.FrameRate != 30 || !bytes.Equal(got.Config, config) {
		t.Errorf("VideoTrack = %+v, want HEVC 640x360 at 30 fps", got)
	}
}

func TestHEVCTrackErrors(t *testing.T) {
	head := strings.ReplaceAll(hvcc, " ", "")[:44]
	for name, c := range map[string]struct{ config, want string }{
		"empty":              {"", "parse hvcC: message is too short"},
		"version":            {"02" + head[2:] + "00", "version is not 1"},
		"2-byte NAL lengths": {head[:42] + "0d" + "00", "4 bytes wide"},
		"no sets":            {head + "00", "no parameter sets"},
		"no PPS":             {head + "02 20 0001 0002 4001 21 0001 0002 4201", "no parameter sets"},
		"array cut":          {head + "01 20 00", "too short"},
		"set cut":            {head + "01 20 0001 0005 4001", "parameter set of 5 bytes where 2 are left"},
		"bad SPS":            {head + "03 20 0001 0002 4001 21 0001 0002 4201 22 0001 0002 4401", "parse SPS"},
		"beyond all size":    {head + "01 27 0001 4001" + strings.Repeat("ff", 0x4001), "more than 16384 bytes"},
	} {
		if _, err := flv.VideoTrack(media.HEVC, unhex(t, c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestRecordWithoutSets(t *testing.T) {
	for codec, config := range map[media.Codec]string{
		media.H264: "014d401e ff e0 00",
		media.HEVC: strings.ReplaceAll(hvcc, " ", "")[:44] + "00",
	} {
		r, err := flv.ParseRecord(codec, unhex(t, config))
		if err != nil || r.Complete() {
			t.Errorf("ParseRecord(%v, %s) = %+v, %v, want one that waits for its sets", codec, config, r, err)
		}
	}
}

// What is in band replaces what the header said; what is repeated changes nothing.
func TestInBand(t *testing.T) {
	idr, cra := "658884", "2a01af"
	for _, c := range []struct {
		name  string
		codec media.Codec
		have  string
		nals  []string
		want  flv.Record // nil: have stays
	}{
		{"nothing in band", media.H264, avcc, []string{idr}, flv.Record{}},
		{"repeated", media.H264, avcc, []string{avcSPS, avcPPS, idr}, flv.Record{}},
		{"repeated and padded", media.H264, avcc, []string{avcSPS + "00", avcPPS + "0000", idr}, flv.Record{}},
		{"another SPS", media.H264, avcc, []string{highSPS, avcPPS, idr}, flv.Record{SPS: sets(t, highSPS), PPS: sets(t, avcPPS)}},
		{"both others", media.H264, avcc, []string{highSPS, highPPS, idr}, flv.Record{SPS: sets(t, highSPS), PPS: sets(t, highPPS)}},
		{"a second PPS", media.H264, avcc, []string{"6848e3cb", idr}, flv.Record{SPS: sets(t, avcSPS), PPS: sets(t, "6848e3cb", avcPPS)}},
		{"twice in one access unit", media.H264, avcc, []string{highPPS, "68ebe3cc", idr}, flv.Record{SPS: sets(t, avcSPS), PPS: sets(t, "68ebe3cc")}},
		{"only in band", media.H264, "", []string{avcSPS, avcPPS, idr}, flv.Record{SPS: sets(t, avcSPS), PPS: sets(t, avcPPS)}},
		{"only in band, High", media.H264, "014d401e ff e0 00", []string{highSPS, highPPS, idr}, flv.Record{SPS: sets(t, highSPS), PPS: sets(t, highPPS)}},
		{"repeated", media.HEVC, hvcc, []string{vps, hevcSPS, hevcPPS, cra}, flv.Record{}},
		{
			"another PPS", media.HEVC, hvcc,
			[]string{vps, hevcSPS, "4401c073c18a", cra},
			flv.Record{VPS: sets(t, vps), SPS: sets(t, hevcSPS), PPS: sets(t, "4401c073c18a")},
		},
		{
			"only in band", media.HEVC, "",
			[]string{vps, hevcSPS, hevcPPS, cra},
			flv.Record{VPS: sets(t, vps), SPS: sets(t, hevcSPS), PPS: sets(t, hevcPPS)},
		},
	} {
		have := unhex(t, c.have)
		got, err := flv.InBand(c.codec, have, au(t, c.nals...))
		if err != nil {
			t.Errorf("%s, %v: %v", c.name, c.codec, err)
			continue
		}
		if c.want.SPS == nil {
			if !bytes.Equal(got, have) {
				t.Errorf("%s, %v: %x, want no change of %x", c.name, c.codec, got, have)
			}
			continue
		}
		r, err := flv.ParseRecord(c.codec, got)
		if err != nil || !equal(r.VPS, c.want.VPS) || !equal(r.SPS, c.want.SPS) || !equal(r.PPS, c.want.PPS) {
			t.Errorf("%s, %v: %+v, %v, want %+v", c.name, c.codec, r, err, c.want)
		}
		if _, err = flv.VideoTrack(c.codec, got); err != nil {
			t.Errorf("%s, %v: %v", c.name, c.codec, err)
		}
		if again, err := flv.InBand(c.codec, got, au(t, c.nals[len(c.nals)-2:]...)); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s, %v: the same again gives %x, %v, want no change of %x", c.name, c.codec, again, err, got)
		}
	}
}

// The record that we write says what the encoder's own says.
func TestInBandRecordIsTheEncoders(t *testing.T) {
	got, err := flv.InBand(media.HEVC, nil, au(t, vps, hevcSPS, hevcPPS, "2a01"))
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, hvcc)
	for _, array := range []int{23, 23 + 5 + 24, 23 + 5 + 24 + 5 + 43} {
		want[array] |= 0x80 // array_completeness
	}
	if !bytes.Equal(got, want) {
		t.Errorf("hvcC\ngot  %x\nwant %x", got, want)
	}
	if got, err = flv.InBand(media.H264, nil, au(t, avcSPS, avcPPS, "65")); err != nil || !bytes.Equal(got, unhex(t, avcc)) {
		t.Errorf("avcC\ngot  %x, %v\nwant %x", got, err, unhex(t, avcc))
	}
}

func TestInBandErrors(t *testing.T) {
	for name, c := range map[string]struct {
		codec media.Codec
		have  string
		nals  []string
	}{
		"half of them":  {media.H264, "", []string{avcSPS, "65"}},
		"no VPS":        {media.HEVC, "", []string{hevcSPS, hevcPPS, "2a01"}},
		"no SPS at all": {media.H264, avcc, []string{"67ffffff", "65"}},
		"no profile":    {media.H264, avcc, []string{"674d", "65"}},
		"no id":         {media.H264, avcc, []string{"68", "65"}},
		"bad HEVC SPS":  {media.HEVC, hvcc, []string{"42010000", "2a01"}},
		"no HEVC id":    {media.HEVC, hvcc, []string{"40", "2a01"}},
		"too long":      {media.H264, avcc, []string{"68ce" + strings.Repeat("11", 17000), "65"}},
	} {
		if got, err := flv.InBand(c.codec, unhex(t, c.have), au(t, c.nals...)); err == nil {
			t.Errorf("%s: %x, want an error", name, got)
		}
	}
}

func sets(tb testing.TB, nals ...string) (out [][]byte) {
	tb.Helper()
	for _, n := range nals {
		out = append(out, unhex(tb, n))
	}
	return out
}

func equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte{0, 0, 1}), bytes.Join(b, []byte{0, 0, 1}))
}

// Whatever is in band: what is made of it can be read again, and is stable.
func FuzzInBand(f *testing.F) {
	f.Add(unhex(f, avcc), au(f, highSPS, highPPS, "65"), false)
	f.Add([]byte{}, au(f, avcSPS, avcPPS, "65"), false)
	f.Add(unhex(f, hvcc), au(f, vps, hevcSPS, "4401c073c18a", "2a01"), true)
	f.Fuzz(func(t *testing.T, have, unit []byte, isHEVC bool) {
		codec := media.H264
		if isHEVC {
			codec = media.HEVC
		}
		got, err := flv.InBand(codec, have, unit)
		if err != nil || bytes.Equal(got, have) {
			return
		}
		r, err := flv.ParseRecord(codec, got)
		if err != nil || !r.Complete() {
			t.Fatalf("InBand(%x, %x) = %x: %+v, %v", have, unit, got, r, err)
		}
		_, _ = flv.VideoTrack(codec, got)
	})
}
