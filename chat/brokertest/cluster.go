package brokertest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

const (
	shards = 3
	slots  = 16384
)

// Cluster is a Redis Cluster of a test's own: three masters with a replica each.
type Cluster struct {
	Nodes []*Redis // the first three begin as masters
}

// StartCluster starts a cluster whose nodes have a configuration file. It ends with
// the test.
func StartCluster(tb testing.TB, conf string) *Cluster {
	tb.Helper()
	c := &Cluster{}
	var meet []string
	for range 2 * shards {
		_, busPort, _ := net.SplitHostPort(freeAddr(tb))
		r := StartRedis(tb, conf, "--cluster-port", busPort, "--repl-diskless-sync-delay", "0")
		c.Nodes = append(c.Nodes, r)
		meet = append(meet, strings.Replace(r.Addr, ":", " ", 1)+" "+busPort)
	}
	for i, r := range c.Nodes {
		r.want(tb, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
		if i < shards {
			r.want(tb, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/shards, (i+1)*slots/shards-1))
		}
		if i > 0 {
			c.Nodes[0].want(tb, "CLUSTER MEET "+meet[i])
		}
	}
	eventually(tb, "the nodes know each other", func() bool {
		for _, r := range c.Nodes {
			if strings.Count(r.Do(tb, "CLUSTER NODES"), "connected") != len(c.Nodes) {
				return false
			}
		}
		return true
	})
	for i, r := range c.Nodes[shards:] {
		r.want(tb, "CLUSTER REPLICATE "+c.Nodes[i].id(tb))
	}
	c.WaitWhole(tb)
	return c
}

// URL is the address as barrage's configuration wants it.
func (c *Cluster) URL() string {
	var hosts []string
	for _, r := range c.Nodes {
		hosts = append(hosts, r.Addr)
	}
	return "redis://" + strings.Join(hosts, ",")
}

// WaitWhole waits until every node runs well, and every master has its replica.
func (c *Cluster) WaitWhole(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the cluster is whole", func() bool {
		replicas := 0
		for _, r := range c.Nodes {
			replication := r.Do(tb, "INFO replication")
			if strings.Contains(replication, "master_link_status:up") {
				replicas++
			}
			info := r.Do(tb, "CLUSTER INFO")
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_slots_ok:16384") || strings.Contains(r.Do(tb, "CLUSTER NODES"), "fail") ||
				strings.Contains(replication, "role:master") && !strings.Contains(replication, "state=online") {
				return false
			}
		}
		return replicas == shards
	})
}

// Slot is the slot of key.
func (c *Cluster) Slot(tb testing.TB, key string) int {
	tb.Helper()
	slot, err := strconv.Atoi(strings.TrimPrefix(c.running().Do(tb, "CLUSTER KEYSLOT "+key), ":"))
	if err != nil {
		tb.Fatalf("slot of %s: %v", key, err)
	}
	return slot
}

func (c *Cluster) running() *Redis {
	for _, r := range c.Nodes {
		if r.cmd != nil {
			return r
		}
	}
	return nil
}

// Find returns a key that matches pattern.
func (c *Cluster) Find(tb testing.TB, pattern string) string {
	tb.Helper()
	for _, r := range c.Masters(tb, nil) {
		if key, _, _ := strings.Cut(r.Do(tb, "KEYS "+pattern), "\n"); key != "" {
			return key
		}
	}
	tb.Fatalf("no key %s", pattern)
	return ""
}

// Master is the node that serves slot; nil while nobody says that he does.
func (c *Cluster) Master(tb testing.TB, slot int) *Redis {
	tb.Helper()
	for _, r := range c.Nodes {
		if r.cmd != nil && r.Serves(tb, slot) {
			return r
		}
	}
	return nil
}

// Masters are the masters but one.
func (c *Cluster) Masters(tb testing.TB, but *Redis) []*Redis {
	tb.Helper()
	var masters []*Redis
	for _, r := range c.Nodes {
		if r != but && r.leads(tb) {
			masters = append(masters, r)
		}
	}
	return masters
}

func (r *Redis) leads(tb testing.TB) bool {
	tb.Helper()
	return r.cmd != nil && strings.HasPrefix(r.Do(tb, "ROLE"), "master")
}

// Replica is a node that follows master.
func (c *Cluster) Replica(tb testing.TB, master *Redis) *Redis {
	tb.Helper()
	id := master.id(tb)
	for _, r := range c.Nodes {
		if r.cmd != nil && r.myself(tb)[3] == id {
			return r
		}
	}
	tb.Fatal("a master without a replica")
	return nil
}

// Move begins to move slot to another master: half of its keys are there when it
// returns, and the rest with the slot itself when finish does.
func (c *Cluster) Move(tb testing.TB, slot int, to *Redis) (finish func()) {
	tb.Helper()
	from := c.Master(tb, slot)
	toID := to.id(tb)
	to.want(tb, fmt.Sprintf("CLUSTER SETSLOT %d IMPORTING %s", slot, from.id(tb)))
	from.want(tb, fmt.Sprintf("CLUSTER SETSLOT %d MIGRATING %s", slot, toID))
	all := from.keys(tb, slot)
	from.migrate(tb, all[:len(all)/2], to)
	return func() {
		tb.Helper()
		for rest := from.keys(tb, slot); len(rest) > 0; rest = from.keys(tb, slot) {
			from.migrate(tb, rest, to)
		}
		to.want(tb, fmt.Sprintf("CLUSTER SETSLOT %d NODE %s", slot, toID))
		for _, r := range c.Masters(tb, to) {
			r.want(tb, fmt.Sprintf("CLUSTER SETSLOT %d NODE %s", slot, toID))
		}
	}
}

// Everywhere runs a command on every node that runs.
func (c *Cluster) Everywhere(tb testing.TB, command string) {
	tb.Helper()
	for _, r := range c.Nodes {
		if r.cmd != nil {
			r.Do(tb, command)
		}
	}
}

func (r *Redis) want(tb testing.TB, command string) {
	tb.Helper()
	if answer := r.Do(tb, command); answer != "+OK" {
		tb.Fatalf("redis %s: %s", command, answer)
	}
}

func (r *Redis) id(tb testing.TB) string {
	tb.Helper()
	return r.Do(tb, "CLUSTER MYID")
}

// myself is the node's line about itself: "<id> <addr> <flags> <master> <ping-sent>
// <pong-recv> <config-epoch> <link-state> <slot> <slot> … <slot>" (CLUSTER NODES).
func (r *Redis) myself(tb testing.TB) []string {
	tb.Helper()
	for line := range strings.Lines(r.Do(tb, "CLUSTER NODES")) {
		if strings.Contains(line, "myself") {
			return strings.Fields(line)
		}
	}
	tb.Fatal("a node that is not in its own list")
	return nil
}

// Serves says that r is the master of slot, by its own account.
func (r *Redis) Serves(tb testing.TB, slot int) bool {
	tb.Helper()
	for _, ranged := range r.myself(tb)[8:] {
		low, high, found := strings.Cut(ranged, "-")
		if !found {
			high = low
		}
		from, err := strconv.Atoi(low)
		to, errTo := strconv.Atoi(high)
		if err == nil && errTo == nil && from <= slot && slot <= to { // else [slot->-importing]
			return true
		}
	}
	return false
}

func (r *Redis) keys(tb testing.TB, slot int) []string {
	tb.Helper()
	return strings.Fields(r.Do(tb, fmt.Sprintf("CLUSTER GETKEYSINSLOT %d 1000", slot)))
}

func (r *Redis) migrate(tb testing.TB, keys []string, to *Redis) {
	tb.Helper()
	if len(keys) == 0 {
		return
	}
	host, port, _ := net.SplitHostPort(to.Addr)
	answer := r.Do(tb, fmt.Sprintf(`MIGRATE %s %s "" 0 5000 KEYS %s`, host, port, strings.Join(keys, " ")))
	if answer != "+OK" && answer != "+NOKEY" { // a lease may have lapsed
		tb.Fatalf("MIGRATE: %s", answer)
	}
}
