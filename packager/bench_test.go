package packager_test

import (
	"context"
	"testing"
	"time"

	"barrage/packager"
	"barrage/packager/media"
)

// BenchmarkWriteSample is the cost of the writer's path, a sample: 30 pictures and 47
// units of AAC a second (2.5 Mb/s) through a stream of a registry, with everything that
// a publisher waits for (timeline, cuts, fragments, playlists) and without viewers. One
// iteration is one sample; the clock is the media's, so that dates are as in real life.
func BenchmarkWriteSample(b *testing.B) {
	now := time.Now()
	reg, err := packager.New(packager.DefaultConfig(), packager.Options{Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- reg.Run(ctx) }()
	defer func() { cancel(); <-done }()
	s, err := reg.Attach("live")
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range []media.Track{
		{Kind: media.Video, Codec: media.H264, TimeScale: 1000, Config: fromHex(b, avc1080), Width: 1920, Height: 1080, FrameRate: 30},
		{Kind: media.Audio, Codec: media.AAC, TimeScale: 1000, Config: fromHex(b, aacLC), SampleRate: 48000, Channels: 2},
	} {
		if err := s.SetTrack(t); err != nil {
			b.Fatal(err)
		}
	}
	picture, unit := make([]byte, 10_000), make([]byte, 340)
	start, frames, units, bytes := now, 0, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		m := media.Sample{Kind: media.Video, Sync: frames%60 == 0, DTS: int64(frames) * 1000 / 30, Data: picture}
		if sound := int64(units) * 1024 * 1000 / 48000; sound < m.DTS {
			m = media.Sample{Kind: media.Audio, Sync: true, DTS: sound, Data: unit}
			units++
		} else {
			frames++
		}
		now = start.Add(time.Duration(m.DTS) * time.Millisecond)
		bytes += len(m.Data)
		if err := s.WriteSample(m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "payload_B/op")
	if media := time.Duration(frames) * time.Second / 30; media > 0 {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/media.Minutes()/1e6, "s/stream_min")
	}
}
