//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

var errSpool = errors.New("spool")

// TestSpoolSurvivesAKill kills Redis, and then the chat node that keeps the comments:
// the next process brings them to Redis and to everybody, once.
func TestSpoolSurvivesAKill(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	shared := t.TempDir() // nodes on one state directory have a spool each
	node := func() *server {
		return startServer(t, "chat", shared, redis.setting(), "BARRAGE_CHAT_RATE=1000/s", "BARRAGE_CHAT_BURST=1000")
	}
	nodes := []*server{node(), node()}
	writer, far := join(t, nodes[0].url(""), "writer"), join(t, nodes[1].url(""), "far")
	say := func(text, want string) {
		t.Helper()
		cid, err := writer.Send(text)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, text+" is "+want, func() error {
			ack, err := writer.acked(cid)
			if err == nil && ack.Result != want {
				err = fmt.Errorf("%w: %+v", errSpool, ack)
			}
			return err
		})
	}
	say("before", "shown")
	redis.kill()
	const comments = 20
	for i := range comments {
		say(fmt.Sprintf("apart %d", i), "spooled")
	}
	nodes[0].kill()
	<-nodes[0].done
	redis.start(t)
	nodes[0] = node()
	eventually(t, 15*time.Second, "everything is seen elsewhere", func() error {
		for i := range comments {
			if err := far.saw(fmt.Sprintf("apart %d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	writer = join(t, nodes[0].url(""), "writer again")
	say("after", "shown")
	if err := far.saw("after"); err != nil {
		eventually(t, 5*time.Second, "what comes after is seen", func() error { return far.saw("after") })
	}
	for text, n := range far.counts() {
		if n != 1 {
			t.Errorf("%q seen %d times", text, n)
		}
	}
}
