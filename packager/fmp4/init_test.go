package fmp4_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	mc "github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"

	"barrage/packager/fmp4"
	"barrage/packager/media"
)

func decodeInit(t *testing.T, b []byte) *mp4.InitSegment {
	t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if file.Init == nil {
		t.Fatal("no init section")
	}
	return file.Init
}

// What RFC 8216bis, 3.1.2 asks of every init section.
func TestInitObeysHLS(t *testing.T) {
	for _, track := range []media.Track{
		videoTrack(t, avcHigh), audioTrack(t, aacStereo), hevcTrack(t, hevcMain), mp3Track(t, mp3Stereo),
	} {
		init := decodeInit(t, appendInit(t, track))
		if !slices.Contains(init.Ftyp.CompatibleBrands(), "iso6") {
			t.Errorf("%v: brands %v, want iso6 among them", track.Kind, init.Ftyp.CompatibleBrands())
		}
		moov := init.Moov
		if len(moov.Traks) != 1 || moov.Trak.Tkhd.TrackID != 1 || moov.Mvex.Trex.TrackID != 1 {
			t.Errorf("%v: want one track with ID 1 in trak and trex", track.Kind)
		}
		if moov.Mvhd.Duration != 0 || moov.Trak.Tkhd.Duration != 0 {
			t.Errorf("%v: durations %d and %d, want 0", track.Kind, moov.Mvhd.Duration, moov.Trak.Tkhd.Duration)
		}
		if got := moov.Trak.Mdia.Mdhd.Timescale; got != track.TimeScale {
			t.Errorf("%v: time scale %d, want %d", track.Kind, got, track.TimeScale)
		}
		if n := moov.Trak.Mdia.Minf.Stbl.Stsz.SampleNumber; n != 0 {
			t.Errorf("%v: %d samples in the sample table, want 0", track.Kind, n)
		}
		if last := moov.Children[len(moov.Children)-1]; last.Type() != "mvex" {
			t.Errorf("%v: mvex must follow the last trak, the last box is %s", track.Kind, last.Type())
		}
	}
}

func TestInitVideo(t *testing.T) {
	twoPPS := strings.Replace(avcBaseline, "01000468ce0fc8", "02000468ce0fc8000468ce0fc9", 1)
	for name, config := range map[string]string{
		"high profile with its extra fields": avcHigh, "baseline": avcBaseline, "two PPS": twoPPS,
	} {
		t.Run(name, func(t *testing.T) {
			b := appendInit(t, videoTrack(t, config))
			stsd := decodeInit(t, b).Moov.Trak.Mdia.Minf.Stbl.Stsd
			if stsd.AvcX == nil || stsd.AvcX.Type() != "avc1" {
				t.Fatalf("no avc1 in stsd")
			}
			if stsd.AvcX.Width != 1920 || stsd.AvcX.Height != 1080 {
				t.Errorf("%d x %d, want the cropped 1920 x 1080", stsd.AvcX.Width, stsd.AvcX.Height)
			}
			if stsd.AvcX.Btrt != nil {
				t.Errorf("btrt %+v for a bit rate nobody knows", stsd.AvcX.Btrt)
			}
			want := append([]byte("avcC"), unhex(t, config)...)
			if !bytes.Contains(b, want) {
				t.Errorf("the record is not verbatim\nwant %x\nin   %x", want, b)
			}
		})
	}
}

func TestInitAudio(t *testing.T) {
	cases := map[string]struct {
		config         string
		rate, channels uint16
	}{
		"LC":                  {aacStereo, 48000, 2},
		"mono":                {aacMono, 44100, 1},
		"SBR explicit":        {heExplicit, 22050, 1},
		"SBR hidden":          {heHidden, 22050, 1},
		"PS hidden":           {heV2Hidden, 22050, 1},
		"rate beyond 16 bits": {aac96k, 0, 2},
		"channels in a PCE":   {"1180", 48000, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			init := decodeInit(t, appendInit(t, audioTrack(t, c.config)))
			entry := init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a
			if entry == nil || entry.Esds == nil {
				t.Fatal("no mp4a with esds in stsd")
			}
			if entry.SampleRate != c.rate || entry.ChannelCount != c.channels {
				t.Errorf("%d Hz, %d channels, want %d Hz, %d", entry.SampleRate, entry.ChannelCount, c.rate, c.channels)
			}
			decoder := entry.Esds.DecConfigDescriptor
			if got := hex.EncodeToString(decoder.DecSpecificInfo.DecConfig); got != c.config {
				t.Errorf("AudioSpecificConfig %s, want %s", got, c.config)
			}
			if decoder.ObjectType != 0x40 || decoder.StreamType != 0x15 || decoder.AvgBitrate != 128000 {
				t.Errorf("decoder configuration %+v", decoder)
			}
			if entry.Btrt == nil || entry.Btrt.AvgBitrate != 128000 {
				t.Errorf("btrt %+v, want 128000 bits per second", entry.Btrt)
			}
		})
	}
}

// The record is the encoder's but for array_completeness, "mandatory value 1" in
// hvc1.
func TestInitHEVC(t *testing.T) {
	b := appendInit(t, hevcTrack(t, hevcMain))
	stsd := decodeInit(t, b).Moov.Trak.Mdia.Minf.Stbl.Stsd
	if stsd.HvcX == nil || stsd.HvcX.Type() != "hvc1" || stsd.HvcX.Width != 640 || stsd.HvcX.Height != 360 {
		t.Fatalf("no hvc1 of 640 x 360 in stsd: %+v", stsd.HvcX)
	}
	want := unhex(t, hevcMain)
	for _, a := range stsd.HvcX.HvcC.NaluArrays {
		if a.Complete() != 1 {
			t.Errorf("array of %v: not complete", a.NaluType())
		}
	}
	for _, array := range []int{23, 52, 100} {
		want[array] |= 0x80
	}
	if !bytes.Contains(b, append([]byte("hvcC"), want...)) {
		t.Errorf("hvcC is not the record\nwant %x\nin   %x", want, b)
	}
}

func TestInitMP3(t *testing.T) {
	for header, want := range map[string]byte{mp3Stereo: 0x6b, mp3Low: 0x69, mp3Lowest: 0x69} {
		entry := decodeInit(t, appendInit(t, mp3Track(t, header))).Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a
		if entry == nil || entry.Esds == nil || entry.SampleRate != 44100 || entry.ChannelCount != 2 {
			t.Fatalf("%s: no mp4a with esds in stsd: %+v", header, entry)
		}
		d := entry.Esds.DecConfigDescriptor
		if d.ObjectType != want || d.StreamType != 0x15 || d.AvgBitrate != 128000 || d.DecSpecificInfo != nil {
			t.Errorf("%s: decoder configuration %+v, want object type %#x and no specific info", header, d, want)
		}
	}
}

// A second reader, which checks the order of boxes and parses the records.
func TestInitReadByMediacommon(t *testing.T) {
	var video mc.Init
	if err := video.Unmarshal(bytes.NewReader(appendInit(t, videoTrack(t, avcHigh)))); err != nil {
		t.Fatal(err)
	}
	h264, ok := video.Tracks[0].Codec.(*codecs.H264)
	if !ok || len(h264.SPS) != 27 || hex.EncodeToString(h264.PPS) != "68ef8fcb" {
		t.Errorf("video: %+v", video.Tracks[0].Codec)
	}
	var hevc mc.Init
	if err := hevc.Unmarshal(bytes.NewReader(appendInit(t, hevcTrack(t, hevcMain)))); err != nil {
		t.Fatal(err)
	}
	if h265, is := hevc.Tracks[0].Codec.(*codecs.H265); !is || len(h265.VPS) != 24 || len(h265.SPS) != 43 || hex.EncodeToString(h265.PPS) != "4401c073c189" {
		t.Errorf("HEVC: %+v", hevc.Tracks[0].Codec)
	}
	var mp3 mc.Init
	if err := mp3.Unmarshal(bytes.NewReader(appendInit(t, mp3Track(t, mp3Stereo)))); err != nil {
		t.Fatal(err)
	}
	if c, is := mp3.Tracks[0].Codec.(*codecs.MPEG1Audio); !is || c.SampleRate != 44100 || c.ChannelCount != 2 {
		t.Errorf("MP3: %+v", mp3.Tracks[0].Codec)
	}
	var audio mc.Init
	if err := audio.Unmarshal(bytes.NewReader(appendInit(t, audioTrack(t, heExplicit)))); err != nil {
		t.Fatal(err)
	}
	aac, ok := audio.Tracks[0].Codec.(*codecs.MPEG4Audio)
	if !ok || aac.Config.ExtensionSampleRate != 44100 || aac.Config.SampleRate != 22050 {
		t.Errorf("audio: %+v", audio.Tracks[0].Codec)
	}
}

func TestInitErrors(t *testing.T) {
	noScale := videoTrack(t, avcHigh)
	noScale.TimeScale = 0
	cases := map[string]struct {
		track media.Track
		want  string
	}{
		"no time scale":         {noScale, "no time scale"},
		"no codec":              {media.Track{Kind: media.Video, TimeScale: 1}, "no sample entry for unknown"},
		"empty avcC":            {videoTrack(t, ""), "parse avcC: 0 bytes"},
		"other version":         {videoTrack(t, "02"+avcHigh[2:]), "configuration version 2"},
		"no SPS":                {videoTrack(t, "01640028ffe001000468ef8fcb"), "0 SPS and 1 PPS"},
		"cut in an SPS":         {videoTrack(t, avcHigh[:40]), "SPS 1 of 1: 27 bytes announced, 12 left"},
		"cut before the PPS":    {videoTrack(t, avcHigh[:16+27*2]), "ends before its PPS"},
		"cut in a length":       {videoTrack(t, avcHigh[:16+27*2+2+2]), "PPS 1 of 1: no length"},
		"no PPS":                {videoTrack(t, avcHigh[:16+27*2]+"00"), "1 SPS and 0 PPS"},
		"SPS too short":         {videoTrack(t, "01640028ffe1"+"000167"+"01"+"000168"), "SPS of 1 bytes"},
		"SPS not parsed":        {videoTrack(t, "01640028ffe10004676400ff01000168"), "parse SPS"},
		"empty hvcC":            {hevcTrack(t, ""), "parse hvcC: 0 bytes"},
		"cut before an array":   {hevcTrack(t, hevcMain[:46]), "ends before array 1"},
		"cut in an array":       {hevcTrack(t, hevcMain[:60]), "NAL unit of type 32"},
		"no PPS in hvcC":        {hevcTrack(t, hevcMain[:44]+"02"+hevcMain[46:46+58+96]), "at least one VPS, SPS and PPS"},
		"SPS of nothing":        {hevcTrack(t, hevcMain[:44]+"03200001000140210001000142220001000144"), "SPS of 1 bytes"},
		"HEVC SPS not parsed":   {hevcTrack(t, strings.Replace(hevcMain, "a0050201", "00000000", 1)), "parse SPS"},
		"MP3 without a header":  {mp3Track(t, ""), "layer III"},
		"MP3 of layer II":       {mp3Track(t, "fffd0000"), "layer III"},
		"empty ASC":             {audioTrack(t, ""), "ends at bit 0"},
		"cut ASC":               {audioTrack(t, "11"), "ends at bit 8"},
		"reserved rate":         {audioTrack(t, "1690"), "no valid sampling rate"},
		"reserved channels":     {audioTrack(t, "11c0"), "channel configuration 8 is reserved"},
		"ASC beyond one length": {audioTrack(t, aacStereo+strings.Repeat("00", 120)), "AudioSpecificConfig of 122 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := fmp4.AppendInit([]byte("kept"), c.track)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if string(got) != "kept" {
				t.Errorf("dst became %q", got)
			}
		})
	}
}

func TestCodecString(t *testing.T) {
	// The head of avcC lies about profile and level; the SPS decides.
	lying := avcHigh[:2] + "42e01e" + avcHigh[8:]
	cases := map[string]struct {
		track media.Track
		want  string
	}{
		"high 4.0":       {videoTrack(t, avcHigh), "avc1.640028"},
		"baseline":       {videoTrack(t, avcBaseline), "avc1.42c028"},
		"lying head":     {videoTrack(t, lying), "avc1.640028"},
		"HEVC":           {hevcTrack(t, hevcMain), "hvc1.1.6.L63.90"},
		"HEVC Main 10":   {hevcTrack(t, strings.Replace(hevcMain, "42010101600000030090000003000003003f", "42010122200000030000000003000003007b", 1)), "hvc1.2.4.H123"},
		"HEVC space":     {hevcTrack(t, strings.Replace(hevcMain, "4201010160000003", "4201018160000003", 1)), "hvc1.B1.6.L63.90"},
		"MP3":            {mp3Track(t, mp3Stereo), "mp4a.40.34"},
		"MP3 low":        {mp3Track(t, mp3Low), "mp4a.40.34"},
		"AAC-LC":         {audioTrack(t, aacStereo), "mp4a.40.2"},
		"SBR explicit":   {audioTrack(t, heExplicit), "mp4a.40.5"},
		"SBR hidden":     {audioTrack(t, heHidden), "mp4a.40.5"},
		"PS hidden":      {audioTrack(t, heV2Hidden), "mp4a.40.29"},
		"escaped type":   {audioTrack(t, "f94640"), "mp4a.40.42"},
		"rate spelt out": {audioTrack(t, "178017708800"[:10]+"10"), "mp4a.40.2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := fmp4.CodecString(c.track)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	for _, track := range []media.Track{{}, videoTrack(t, "01"), audioTrack(t, ""), hevcTrack(t, "01"), mp3Track(t, "ff")} {
		if got, err := fmp4.CodecString(track); err == nil {
			t.Errorf("%v with config %x: %q, want an error", track.Codec, track.Config, got)
		}
	}
}

// FuzzConfig feeds decoder configurations as a hostile publisher would: no panic,
// and what is accepted is decodable and verbatim.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{avcHigh, avcBaseline, aacStereo, aacMono, heExplicit, heHidden, heV2Hidden, aac96k, "", "f948", hevcMain, mp3Stereo} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		for _, track := range []media.Track{
			{Kind: media.Video, Codec: media.H264, TimeScale: 90000, Config: config},
			{Kind: media.Audio, Codec: media.AAC, TimeScale: 48000, Config: config, Channels: 2},
			{Kind: media.Video, Codec: media.HEVC, TimeScale: 90000, Config: config},
			{Kind: media.Audio, Codec: media.MP3, TimeScale: 44100, Config: config, SampleRate: 44100, Channels: 2},
		} {
			b, err := fmp4.AppendInit(nil, track)
			if err != nil {
				continue
			}
			if _, err = fmp4.CodecString(track); err != nil {
				t.Errorf("an init section, but no codec string: %v", err)
			}
			verbatim := track.Codec == media.H264 || track.Codec == media.AAC
			if verbatim && !bytes.Contains(b, config) {
				t.Errorf("config %x is not verbatim", config)
			}
			// What avcC may hold behind its parameter sets is the player's affair.
			if _, err = mp4.DecodeFile(bytes.NewReader(b)); err != nil && track.Codec == media.AAC {
				t.Errorf("decode: %v", err)
			}
		}
	})
}
