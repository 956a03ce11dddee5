package hlscheck_test

import (
	"testing"

	"barrage/e2e/hlscheck"
)

// "The Discontinuity Sequence Number of a segment is the value of the
// EXT-X-DISCONTINUITY-SEQUENCE tag [...] plus the number of EXT-X-DISCONTINUITY tags in
// the Playlist preceding the URI line of the segment" (4.4.3.3): of tags, of which more
// than one can stand before a segment.
func TestMergeCountsDiscontinuities(t *testing.T) {
	t.Parallel()
	const head = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
	const segment, twice = "#EXTINF:2.000,\ns.mp4\n", "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY\n"
	for name, c := range map[string]struct {
		whole, delta string
		want         []uint64
	}{
		"in what is skipped": {twice + segment + segment + segment, "#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n" + segment + segment, []uint64{5, 5, 5, 5}},
		"behind it":          {segment + segment, "#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n" + twice + segment + segment, []uint64{3, 3, 5, 5}},
		"in both":            {twice + segment + segment, "#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n" + twice + segment, []uint64{5, 5, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, err := hlscheck.ParseMedia(head + c.delta).Merge(hlscheck.ParseMedia(head + c.whole))
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range full.Segments {
				if i >= len(c.want) || s.Discontinuities != c.want[i] {
					t.Errorf("%d before segment %d of %d, want %v", s.Discontinuities, i, len(full.Segments), c.want)
				}
			}
		})
	}
}
