//go:build e2e

package mpegts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"barrage/packager/media"
	"barrage/packager/mpegts"

	"github.com/Eyevinn/mp4ff/mp4"
)

// A stream of a real encoder, cut into segments, is decoded by ffmpeg to the same
// pictures and as much sound as its source, without a word of complaint.
func TestFFmpegDecodes(t *testing.T) {
	dir := t.TempDir()
	source, made := filepath.Join(dir, "source.mp4"), filepath.Join(dir, "made.ts")
	run(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000",
		"-t", "6", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60", "-x264-params", "aud=1", "-c:a", "aac", "-ac", "2",
		"-movflags", "+frag_keyframe+empty_moov+default_base_moof", source)
	video, audio, tracks := readMP4(t, source)
	p := program(t, tracks...)
	var b []byte
	var c mpegts.Counters
	for len(video) > 0 {
		s := mpegts.Segment{Video: take(&video, func(m media.Sample) bool { return m.Sync })}
		end := int64(1 << 62)
		if len(video) > 0 {
			end = video[0].DTS * 48000 / int64(tracks[0].TimeScale)
		}
		s.Audio = take(&audio, func(m media.Sample) bool { return m.DTS >= end })
		b, c = p.AppendSegment(b, c, s)
	}
	if err := os.WriteFile(made, b, 0o600); err != nil {
		t.Fatal(err)
	}
	hashes := func(file string) string {
		return run(t, "ffmpeg", "-v", "error", "-i", file, "-map", "0:v", "-f", "framehash", "-hash", "md5", "-")
	}
	if got, want := column(hashes(made)), column(hashes(source)); len(want) != 180 || got[0] != want[0] || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d pictures come out of the transport stream, want the %d of the source", len(got), len(want))
	}
	// The sound from its first unit to its last, in samples; ffmpeg drops the priming of mp4.
	got, want := count(t, made), count(t, source)
	if got != want {
		t.Errorf("%d packets of audio, want %d", got, want)
	}
	if out := run(t, "ffmpeg", "-v", "warning", "-i", made, "-f", "null", "-"); out != "" {
		t.Errorf("ffmpeg says %s", out)
	}
}

// run returns everything that a program says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// column returns the hashes of ffmpeg's framehash.
func column(out string) []string {
	var hashes []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			hashes = append(hashes, strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:]))
		}
	}
	return hashes
}

// count returns how many packets of audio ffprobe finds.
func count(t *testing.T, file string) int {
	t.Helper()
	out := run(t, "ffprobe", "-v", "error", "-select_streams", "a", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", file)
	n, err := strconv.Atoi(strings.TrimRight(strings.TrimSpace(strings.SplitN(strings.TrimSpace(out), "\n", 2)[0]), ","))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// take takes samples up to the first, but for the very first, that starts another segment.
func take(samples *[]media.Sample, starts func(media.Sample) bool) []media.Sample {
	n := min(1, len(*samples))
	for n < len(*samples) && !starts((*samples)[n]) {
		n++
	}
	out := (*samples)[:n]
	*samples = (*samples)[n:]
	return out
}

// readMP4 reads a fragmented file of ffmpeg with one video and one audio track.
func readMP4(t *testing.T, file string) (video, audio []media.Sample, tracks []media.Track) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	traks := f.Init.Moov.Traks
	var config bytes.Buffer
	if err = traks[0].Mdia.Minf.Stbl.Stsd.AvcX.AvcC.Encode(&config); err != nil {
		t.Fatal(err)
	}
	asc := traks[1].Mdia.Minf.Stbl.Stsd.Mp4a.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
	tracks = []media.Track{
		{Kind: media.Video, Codec: media.H264, TimeScale: traks[0].Mdia.Mdhd.Timescale, Config: config.Bytes()[8:]},
		{Kind: media.Audio, Codec: media.AAC, TimeScale: 48000, SampleRate: 48000, Config: asc},
	}
	for _, segment := range f.Segments {
		for _, fragment := range segment.Fragments {
			for i, out := range []*[]media.Sample{&video, &audio} {
				samples, err := fragment.GetFullSamples(f.Init.Moov.Mvex.Trexs[i])
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range samples {
					*out = append(*out, media.Sample{
						DTS: int64(s.DecodeTime), CTS: s.CompositionTimeOffset, Duration: s.Dur, Sync: s.IsSync(), Data: s.Data,
					})
				}
			}
		}
	}
	return video, audio, tracks
}
