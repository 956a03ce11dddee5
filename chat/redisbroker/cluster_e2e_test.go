//go:build e2e

package redisbroker_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"barrage/chat"
	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// TestCluster runs one cluster for everything that needs one: starting it takes longer
// than most of the tests.
func TestCluster(t *testing.T) {
	c := brokertest.StartCluster(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *brokertest.Cluster)
	}{
		{"partitions", clusterPartitions},
		{"contract", clusterContract},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, c)
			if t.Failed() {
				return
			}
			c.WaitWhole(t)
		})
	}
}

func openOn(tb testing.TB, url string, opts redisbroker.Options) *redisbroker.Broker {
	tb.Helper()
	opts.URL = url
	b, err := redisbroker.New(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	if !b.Up() {
		reason, _ := b.Degraded()
		tb.Fatalf("not up after New, with a Redis that runs: %s", reason)
	}
	return b
}

// clusterPartitions: they are spread evenly over the slots, and over the shards.
func clusterPartitions(t *testing.T, c *brokertest.Cluster) {
	masters := make(map[*brokertest.Redis]int)
	for i, tag := range redisbroker.PartitionTags() {
		slot := c.Slot(t, "barrage:{"+tag+"}:x")
		if want := 512 + 1024*i; slot != want {
			t.Errorf("slot of %s = %d, want %d", tag, slot, want)
		}
		masters[c.Master(t, slot)]++
	}
	for _, n := range masters {
		if len(masters) != 3 || n < 5 || n > 6 {
			t.Errorf("partitions of the masters = %v, want 5 or 6 of each of 3", masters)
		}
	}
}

func clusterContract(t *testing.T, c *brokertest.Cluster) {
	var backends atomic.Int32
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		t.Helper()
		prefix := fmt.Sprintf("test-%d:", backends.Add(1))
		return func() brokertest.Node { return openOn(t, c.URL(), redisbroker.Options{Prefix: prefix}) }
	})
}

var _ = errors.Is
var _ = slices.Equal[[]int]
var _ = strings.Contains
var _ = time.Second
var _ chat.Broker
