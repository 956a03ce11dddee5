//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// split is the production shape: Redis, one media, two chat nodes.
type split struct {
	redis *redisServer
	media *server
	chat  [2]*server
}

// startSplit starts one; more are settings of its chat nodes.
func startSplit(t *testing.T, more ...string) split {
	t.Helper()
	var s split
	s.redis = startRedis(t)
	// One state directory: the nodes must agree on the secret that signs tokens.
	state := t.TempDir()
	page := freePort(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", page)
	for i := range s.chat {
		s.chat[i] = startServer(t, "chat", state, append(more, s.redis.setting(), "BARRAGE_CHAT_ALLOWED_ORIGINS="+origin)...)
	}
	s.media = startServer(t, "media", state, s.redis.setting(),
		fmt.Sprintf("BARRAGE_HTTP_ADDR=127.0.0.1:%d", page), "BARRAGE_WEB_CHAT_URL="+s.chat[0].url(""))
	return s
}

// TestSplitDeliversEverythingOnce: 100 subscribers on both nodes, 40 comments a
// second for 10 s, each acknowledged and seen once by everybody.
func TestSplitDeliversEverythingOnce(t *testing.T) {
	const people, perSecond, seconds = 100, 40, 10
	s := startSplit(t, "BARRAGE_CHAT_MAX_SHOWN_PER_SECOND=100") // who is merely counted is not what this is about
	crowd := make([]*chatter, people)
	for i := range crowd {
		crowd[i] = join(t, s.chat[i%2].url(""), fmt.Sprintf("person %d", i))
	}

	type sent struct {
		by   *chatter
		cid  string
		text string
	}
	var said []sent
	pace := time.NewTicker(time.Second / perSecond)
	defer pace.Stop()
	for i := range perSecond * seconds {
		<-pace.C
		by, text := crowd[i%people], fmt.Sprintf("comment %d", i)
		said = append(said, sent{by, by.say(t, text), text})
	}

	eventually(t, 10*time.Second, "every comment is acknowledged", func() error {
		for _, c := range said {
			ack, err := c.by.acked(c.cid)
			if err != nil {
				return fmt.Errorf("%s: %w", c.text, err)
			}
			if ack.Result != "shown" {
				return fmt.Errorf("%s: %+v", c.text, ack)
			}
		}
		return nil
	})
	eventually(t, 10*time.Second, "everybody saw everything", func() error {
		for i, who := range crowd {
			if n := len(who.counts()); n != len(said) {
				return fmt.Errorf("person %d saw %d of %d; closed: %w", i, n, len(said), who.closeError())
			}
		}
		return nil
	})
	for i, who := range crowd {
		for text, n := range who.counts() {
			if n != 1 {
				t.Errorf("person %d saw %q %d times", i, text, n)
			}
		}
	}
}

// TestRedisStopsWhileWatching: video does not notice; chat says so and comes back.
func TestRedisStopsWhileWatching(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	publish(t, s.media.publishURL(t), card{})
	s.media.waitPhase(t, "live", 15*time.Second)
	b := startBrowser(t)
	viewer := b.open(t, "viewer", s.media.url("/r/"+room))
	viewer.plays(t, 20*time.Second)
	far := join(t, s.chat[1].url(""), "far")
	comment(t, viewer, "near", "before")
	eventually(t, 5*time.Second, "a comment crosses the nodes", func() error { return far.saw("before") })

	s.redis.stop(t)
	viewer.promises(t, 15*time.Second, "Redis stopped while watching")
	for _, node := range s.chat {
		eventually(t, 10*time.Second, "readiness says so and stays 200", func() error {
			body, err := get(t.Context(), node.admin("/readyz"))
			if err != nil {
				return err
			}
			return says(t, "Redis stopped, for the operator", string(body))
		})
	}
	if _, err := get(t.Context(), s.media.admin("/readyz")); err != nil {
		t.Errorf("media is not ready without Redis: %v", err)
	}
	viewer.goesOn(t, 3)

	s.redis.start(t)
	eventually(t, 20*time.Second, "the page takes it back", func() error {
		text, err := viewer.text(t.Context(), "body")
		if err == nil && strings.Contains(text, faults(t)["Redis stopped while watching"].sentence) {
			err = errors.New("still degraded")
		}
		return err
	})
	for _, node := range s.chat {
		eventually(t, 10*time.Second, "readiness is whole again", func() error {
			body, err := get(t.Context(), node.admin("/readyz"))
			if err == nil && strings.Contains(string(body), "degraded") {
				err = fmt.Errorf("%w: %s", errStatus, body)
			}
			return err
		})
	}
	again(t, viewer, "after")
	eventually(t, 10*time.Second, "comments cross again", func() error { return far.saw("after") })
	if st, err := viewer.stats(t.Context()); err != nil || st.FatalErrors != 0 || st.Reloads != 0 {
		t.Errorf("hls.js noticed: %+v, %v", st, err)
	}
}

// TestStopTellsEverybody: SIGTERM ends a full server within its promise, and
// every socket is told to come back.
func TestStopTellsEverybody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	crowd := make([]*chatter, 20)
	for i := range crowd {
		crowd[i] = join(t, s.url(""), fmt.Sprintf("person %d", i))
	}
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)

	begin := time.Now()
	s.stop(t)
	t.Logf("stopped in %v", time.Since(begin).Round(time.Millisecond))
	if s.code != 0 {
		t.Errorf("exit code %d, want 0", s.code)
	}
	for i, who := range crowd {
		eventually(t, 2*time.Second, "goodbye", func() error {
			bye, err := who.last("bye")
			if err == nil && (bye.RetryMS <= 0 || bye.Reason != "restart") {
				err = fmt.Errorf("person %d: %+v", i, bye)
			}
			if err == nil && who.closeCode()/1000 != 4 {
				err = fmt.Errorf("person %d: close code %d", i, who.closeCode())
			}
			return err
		})
	}
}
