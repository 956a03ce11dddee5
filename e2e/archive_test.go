//go:build e2e

package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var errArchive = errors.New("archive")

// archived counts the comments of the room's log below states, by cid.
func archived(states ...string) (map[string]int, error) {
	seen := map[string]int{}
	for _, state := range states {
		files, err := filepath.Glob(filepath.Join(state, "chat", "log", room, "*.ndjson"))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			for lines := bufio.NewScanner(f); lines.Scan(); {
				var c struct{ CID, Author string }
				if err = json.Unmarshal(lines.Bytes(), &c); err != nil {
					_ = f.Close()
					return nil, fmt.Errorf("%s: %q: %w", name, lines.Text(), err)
				}
				if c.CID != "" {
					seen[c.Author+" "+c.CID]++
				}
			}
			_ = f.Close()
		}
	}
	return seen, nil
}

// shout sends comments as fast as the socket takes them until the server is gone, and
// returns whose they are and their cids.
func shout(t *testing.T, s *server, n int) (c *chatter, cids []string) {
	t.Helper()
	c = join(t, s.url(""), "writer")
	for i := range n {
		cid, err := c.Send(fmt.Sprintf("comment %d", i))
		if err != nil {
			break
		}
		cids = append(cids, cid)
	}
	return c, cids
}

// TestArchiveSurvivesKills kills the chat node that archives, six times, in the middle of what it does. What was
// acknowledged is on disk in the end, and nothing is there twice; for nodes that share a disk and for nodes that do not.
func TestArchiveSurvivesKills(t *testing.T) {
	for name, shared := range map[string]bool{"one disk": true, "two disks": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := startRedis(t)
			settings := []string{redis.setting(), "BARRAGE_CHAT_RATE=1000/s", "BARRAGE_CHAT_BURST=1000"}
			secret := filepath.Join(t.TempDir(), "token.secret")
			states := []string{t.TempDir(), t.TempDir()}
			if shared {
				states[1] = states[0]
			}
			node := func(i int) *server {
				return startServer(t, "chat", states[i], append(settings, "BARRAGE_TOKEN_SECRET_FILE="+secret)...)
			}
			nodes := []*server{node(0), node(1)}
			acked, sent := map[string]bool{}, 0
			for round := range 6 {
				victim := round % 2
				other, others := shout(t, nodes[1-victim], 150)
				c, cids := shout(t, nodes[victim], 300)
				// The first node's writer is heard to some point, which is another one each time.
				eventually(t, 20*time.Second, "comments are acknowledged", func() error {
					if n := len(c.acksOf(cids)); n < 40*round {
						return fmt.Errorf("%w: %d", errArchive, n)
					}
					return nil
				})
				time.AfterFunc(time.Duration(round)*170*time.Millisecond, nodes[victim].kill)
				<-nodes[victim].done
				eventually(t, 20*time.Second, "the other node acknowledges everything", func() error {
					if n := len(other.acksOf(others)); n < len(others) {
						return fmt.Errorf("%w: %d of %d", errArchive, n, len(others))
					}
					return nil
				})
				for _, w := range []struct {
					*chatter
					cids []string
				}{{c, cids}, {other, others}} {
					sent += len(w.cids)
					for _, cid := range w.acksOf(w.cids) {
						acked[w.Welcome.You.ID+" "+cid] = true
					}
				}
				nodes[victim] = node(victim)
			}
			for _, n := range nodes {
				last, cids := shout(t, n, 1) // opens the room, which archives what is left
				eventually(t, 20*time.Second, "the last comment is acknowledged", func() error {
					if len(last.acksOf(cids)) == 0 {
						return errArchive
					}
					return nil
				})
				acked[last.Welcome.You.ID+" "+cids[0]] = true
			}
			var seen map[string]int
			eventually(t, 20*time.Second, "everything that was acknowledged is on disk", func() (err error) {
				if seen, err = archived(states[:map[bool]int{true: 1, false: 2}[shared]]...); err != nil {
					return err
				}
				for key := range acked {
					if seen[key] == 0 {
						return fmt.Errorf("%w: %s of %d is missing", errArchive, key, len(acked))
					}
				}
				return nil
			})
			for _, n := range nodes {
				n.stop(t)
			}
			seen, err := archived(states[:map[bool]int{true: 1, false: 2}[shared]]...)
			if err != nil {
				t.Fatal(err)
			}
			doubles := 0
			for _, n := range seen {
				doubles += n - 1
			}
			t.Logf("%d comments sent, %d acknowledged, %d on disk, %d of them twice", sent+2, len(acked), len(seen), doubles)
			if shared && doubles > 0 {
				t.Errorf("%d comments are there twice, want none", doubles)
			}
		})
	}
}

// acksOf returns those of cids that were taken.
func (c *chatter) acksOf(cids []string) (taken []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cid := range cids {
		if ack, ok := c.acks[cid]; ok && ack.Result != "rejected" {
			taken = append(taken, cid)
		}
	}
	return taken
}
