//go:build e2e

package redisbroker_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// open joins a broker to r.
func open(tb testing.TB, r *brokertest.Redis, opts redisbroker.Options) *redisbroker.Broker {
	tb.Helper()
	opts.URL = r.URL()
	b, err := redisbroker.New(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return b
}

func TestContract(t *testing.T) {
	r := brokertest.StartRedis(t)
	var backends atomic.Int32
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		t.Helper()
		prefix := fmt.Sprintf("test-%d:", backends.Add(1))
		return func() brokertest.Node {
			b := open(t, r, redisbroker.Options{Prefix: prefix})
			if !b.Up() {
				t.Fatal("not up after New, with a Redis that runs")
			}
			return b
		}
	})
}
