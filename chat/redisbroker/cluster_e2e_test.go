//go:build e2e

package redisbroker_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"barrage/chat/brokertest"
	"barrage/chat/redisbroker"
)

// TestCluster runs one cluster for everything that needs one: starting it takes longer
// than most of the tests.
func TestCluster(t *testing.T) {
	c := brokertest.StartCluster(t, "../../deploy/redis-cluster.conf")
	for _, test := range []struct {
		name string
		run  func(*testing.T, *brokertest.Cluster)
	}{
		{"partitions", clusterPartitions},
		{"contract", clusterContract},
		{"a slot moves", clusterSlotMoves},
		{"connections killed", func(t *testing.T, c *brokertest.Cluster) {
			t.Helper()
			connectionsKilled(t, c.URL(), func(command string) { c.Everywhere(t, command) })
		}},
		{"buffers overflow", func(t *testing.T, c *brokertest.Cluster) {
			t.Helper()
			buffersOverflow(t, c.URL(), func(command string) { c.Everywhere(t, command) })
		}},
		{"a replica takes over", clusterTakeover},
		{"a master dies", clusterMasterDies},
		{"a master hangs", clusterMasterHangs},
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
	poll(tb, recovery, "up", b.Up)
	return b
}

// clusterPartitions: they are spread evenly over the slots, and over the shards.
func clusterPartitions(t *testing.T, c *brokertest.Cluster) {
	t.Helper()
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
	t.Helper()
	var backends atomic.Int32
	brokertest.Run(t, func(t *testing.T) func() brokertest.Node {
		t.Helper()
		prefix := fmt.Sprintf("test-%d:", backends.Add(1))
		return func() brokertest.Node { return openOn(t, c.URL(), redisbroker.Options{Prefix: prefix}) }
	})
}

// elsewhere is a room whose partition another master serves than that of room.
func elsewhere(t *testing.T, c *brokertest.Cluster, room string) string {
	t.Helper()
	master := c.Master(t, slotOf(t, c, room))
	for i := range 1000 {
		if other := fmt.Sprintf("room-%d", i); c.Master(t, slotOf(t, c, other)) != master {
			return other
		}
	}
	t.Fatal("every room is with one master")
	return ""
}

func slotOf(t *testing.T, c *brokertest.Cluster, room string) int {
	t.Helper()
	return c.Slot(t, redisbroker.ClusterKey(room, "log"))
}

// clusterSlotMoves: the room's slot goes to the other masters and comes back, and
// stands between them for a while.
func clusterSlotMoves(t *testing.T, c *brokertest.Cluster) {
	t.Helper()
	w := startTraffic(t, c.URL(), "move")
	other := elsewhere(t, c, w.room)
	calm := subscribe(t, w.reader, other)
	slot := slotOf(t, c, w.room)
	home := c.Master(t, slot)
	for _, to := range slices.Concat(c.Masters(t, home), []*brokertest.Redis{home}) {
		from := c.Master(t, slot)
		from.Do(t, "CONFIG RESETSTAT")
		told := len(w.heard.Seen("link "))
		finish := c.Move(t, slot, to)
		poll(t, recovery, "a command meets the half moved slot", func() bool {
			refused := from.Do(t, "INFO errorstats")
			return strings.Contains(refused, "TRYAGAIN") || strings.Contains(refused, "ASK")
		})
		finish()
		resumes(t, w, "the slot has moved")
		w.heard.Wait(t, "link down and up", func([]string) bool { return len(w.heard.Seen("link ")) >= told+2 })
	}
	undisturbed(t, w, other, calm)
	w.check(t)
}

// clusterMasterDies: its replica takes over.
func clusterMasterDies(t *testing.T, c *brokertest.Cluster) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	openOn(t, c.URL(), redisbroker.Options{Registerer: reg})
	w := startTraffic(t, c.URL(), "death")
	other := elsewhere(t, c, w.room)
	calm := subscribe(t, w.reader, other)
	slot := slotOf(t, c, w.room)
	master := c.Master(t, slot)
	begin := time.Now()
	master.Kill(t)
	waitLink(t, w.heard, false)
	if reason, degraded := w.reader.Degraded(); !degraded || !strings.Contains(reason, "of 16 partitions") {
		t.Errorf("Degraded = %q, %t, want a part of the partitions", reason, degraded)
	}
	poll(t, recovery, "some links are down", func() bool {
		n := gauge(t, reg, "barrage_redisbroker_links_down")
		return n >= 5 && n <= 6 && gauge(t, reg, "barrage_redisbroker_up") == 0
	})
	poll(t, 20*time.Second, "the replica takes over", func() bool { return c.Master(t, slot) != nil })
	t.Logf("taken over %v after the kill", time.Since(begin).Round(time.Millisecond))
	resumes(t, w, "the replica took over")
	undisturbed(t, w, other, calm)
	master.Start(t) // as a replica now
	c.WaitWhole(t)
	w.check(t)
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// clusterMasterHangs: no connection breaks, and when the old master goes on it is
// one no more.
func clusterMasterHangs(t *testing.T, c *brokertest.Cluster) {
	t.Helper()
	w := startTraffic(t, c.URL(), "hang")
	w.late = true // it goes on with what it was about to send
	slot := slotOf(t, c, w.room)
	master := c.Master(t, slot)
	replica := c.Replica(t, master)
	begin := time.Now()
	master.Signal(t, syscall.SIGSTOP)
	poll(t, 20*time.Second, "the replica takes over", func() bool { return replica.Serves(t, slot) })
	t.Logf("taken over %v after the hang began", time.Since(begin).Round(time.Millisecond))
	resumes(t, w, "the replica took over")
	master.Signal(t, syscall.SIGCONT)
	c.WaitWhole(t)
	resumes(t, w, "the old master is back")
	w.check(t)
}

// clusterTakeover is a failover that an operator asks for.
func clusterTakeover(t *testing.T, c *brokertest.Cluster) {
	t.Helper()
	w := startTraffic(t, c.URL(), "takeover")
	slot := slotOf(t, c, w.room)
	replica := c.Replica(t, c.Master(t, slot))
	var asked time.Time
	poll(t, 20*time.Second, "the replica takes over", func() bool {
		if time.Since(asked) > 6*time.Second { // it tries for 5 s, and can fail
			asked = time.Now()
			if answer := replica.Do(t, "CLUSTER FAILOVER"); answer != "+OK" {
				t.Fatalf("CLUSTER FAILOVER: %s", answer)
			}
		}
		return replica.Serves(t, slot)
	})
	resumes(t, w, "the replica took over")
	c.WaitWhole(t)
	resumes(t, w, "the old master is a replica")
	w.check(t)
}
