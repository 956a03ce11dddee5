//go:build reliability

package e2e_test

import (
	"context"
	bytesof "encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// padded adds filler (NAL unit type 12) to every picture, up to that many bytes.
func padded(tags []flvTag, size int) []flvTag {
	out := make([]flvTag, len(tags))
	for i, tag := range tags {
		const picture = 1 // AVCPacketType of NAL units
		if n := size - len(tag.body) - 4; tag.kind == rtmpVideo && tag.body[1] == picture && n > 1 {
			tag.body += string(bytesof.BigEndian.AppendUint32(nil, uint32(n))) + "\x0c" + strings.Repeat("\xff", n-1)
		}
		out[i] = tag
	}
	return out
}

// TestR28Memory lets 100 encoders of 20 Mb/s come to a server that has memory for a few.
func TestR28Memory(t *testing.T) {
	const (
		rooms     = 100
		total     = 1 << 30
		perFrame  = 20_000_000 / 8 / 30
		overTotal = total/4 + 150<<20 // garbage, connections, what is not on offer yet
	)
	r := newRow(t, "R28", "100 encoders of 20 Mb/s, memory for 1 GiB of media")
	s := serve(t, openMode, fmt.Sprintf("BARRAGE_PACKAGER_TOTAL_BYTES=%d", total),
		"BARRAGE_INGEST_MAX_BITRATE=0") // who was held up by a busy machine may catch up
	tags := padded(parseFLV(t, record(t, 40*time.Second)), perFrame)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()

	results := make(chan error, rooms)
	for i := range rooms {
		publishing.Go(func() {
			select {
			case <-time.After(time.Duration(i) * 250 * time.Millisecond):
				results <- replay(ctx, s.addrs.RTMP, fmt.Sprintf("room-%02d", i), tags, offset(0))
			case <-ctx.Done():
			}
		})
	}
	var peak int64
	refused, lost, ended := 0, 0, 0
	look := time.NewTicker(250 * time.Millisecond)
	defer look.Stop()
	for ended < rooms {
		select {
		case err := <-results:
			ended++
			switch {
			case errors.Is(err, errBusy):
				refused++
			case err != nil:
				lost++
				t.Logf("lost: %v", err)
			}
		case <-look.C:
			peak = max(peak, s.memory(t))
		}
	}
	shed := s.metric(t, "barrage_packager_shed_segments_total")
	r.measured("%d admitted, %d refused, %d lost; at most %.0f MiB resident; %.0f segments dropped early", rooms-refused-lost, refused, lost, mebi(peak), shed)
	if peak > total+overTotal {
		t.Errorf("want %.0f MiB at most", mebi(total+overTotal))
	}
	if refused == 0 || lost > 0 {
		t.Error("want some refused, and none lost that was admitted")
	}
	if said := s.log.String(); !strings.Contains(said, "packager.total_bytes") {
		t.Error("the log does not say why")
	}
}
