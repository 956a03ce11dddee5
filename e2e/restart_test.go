//go:build e2e || reliability

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// hlsPage is of somebody who knows nothing of this server: hls.js as its manual shows
// it, and what that says about errors. It loads its source once.
const hlsPage = `<!doctype html><video muted autoplay width=640></video><script src="/hls.js/dist/hls.min.js"></script><script>
const video = document.querySelector("video"), story = window.story = {fatal: [], reloads: 0};
const hls = new Hls({lowLatencyMode: true});
hls.on(Hls.Events.ERROR, (_, e) => {
  if (!e.fatal) return;
  story.fatal.push(e.details);
  if (e.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  else setTimeout(() => hls.startLoad(), 1000);
});
hls.loadSource(%q);
hls.attachMedia(video);
</script>`

// playerPage serves the page and the player's own files, and returns its address.
func playerPage(t *testing.T, source string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(root, "web", "node_modules"))))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, hlsPage, source) // the browser may have gone
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/page"
}

// encoderRetry is what OBS waits before it connects again.
const encoderRetry = 2 * time.Second

// publishForever lets ffmpeg stream until the test ends, and again when it was cut off.
func publishForever(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for ctx.Err() == nil {
			_ = exec.CommandContext(ctx, "ffmpeg", card{}.args(url)...).Run() // whatever ends it
			select {
			case <-time.After(encoderRetry):
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); publishing.Wait() })
}

// watcher is a page with a player of somebody else.
type watcher struct{ page }

// playerState is what the page says of its player.
type playerState struct {
	At      float64 `json:"at"`
	Ready   int     `json:"ready"`
	Fatal   []any   `json:"fatal"`
	Reloads int     `json:"reloads"`
}

// story asks somebody else's page, or ours.
func (w watcher) story(ctx context.Context) (s playerState, err error) {
	return s, w.eval(ctx, `(() => {
		const v = document.querySelector("video"), {fatal, errors, reloads} = window.story ?? window.barrage;
		return {fatal: fatal ?? errors, reloads, at: v.currentTime, ready: v.readyState};
	})()`, &s)
}

// moves waits until the picture moves on from where it is, and returns how long that took.
func (w watcher) moves(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	begin, from := time.Now(), -1.0
	eventually(t, within, "the picture moves on", func() error {
		s, err := w.story(t.Context())
		if err != nil {
			return err
		}
		if from < 0 || s.At < from {
			from = s.At
		}
		if s.At < from+0.3 {
			return fmt.Errorf("at %v from %v, ready %d, fatal errors %v", s.At, from, s.Ready, s.Fatal)
		}
		return nil
	})
	return time.Since(begin)
}

// stops waits until the picture stands still: what was buffered has been played.
func (w watcher) stops(t *testing.T) {
	t.Helper()
	last, since := -1.0, time.Now()
	eventually(t, 30*time.Second, "the picture stands still", func() error {
		s, err := w.story(t.Context())
		if err == nil && s.At != last {
			last, since = s.At, time.Now()
		}
		if err == nil && time.Since(since) < 300*time.Millisecond {
			err = errors.New("it moves")
		}
		return err
	})
}

// restart is one restart of a server under a player.
type restart struct {
	kill bool // -9; else SIGTERM
	ours bool // our page; else somebody else's
}

// outcome is what came of it.
type outcome struct {
	answers, plays time.Duration // after the process was started again
	player         playerState
	msn            int    // newest segment before
	playlist       string // after
}

// run restarts a server and wants the player to go on.
func (r restart) run(t *testing.T) (o outcome) {
	t.Helper()
	addrs := []string{
		fmt.Sprintf("BARRAGE_HTTP_ADDR=127.0.0.1:%d", freePort(t)), fmt.Sprintf("BARRAGE_INGEST_RTMP_ADDR=127.0.0.1:%d", freePort(t)),
	}
	s := serve(t, addrs...)
	publishForever(t, s.publishURL(t))
	s.waitPhase(t, "live", 20*time.Second)
	before, err := s.room(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	url := s.url("/r/" + room)
	if !r.ours {
		url = playerPage(t, s.url("/hls/"+room+"/index.m3u8"))
	}
	w := watcher{startBrowser(t).open(t, "viewer", url)}
	w.moves(t, 20*time.Second)
	w.goesOn(t, 5)
	playlist := s.url("/hls/" + room + "/" + before.Epoch + "/v0.m3u8")
	o.msn, _ = segments(t, playlist)

	if r.kill {
		s.kill()
	} else {
		s.stop(t)
	}
	w.stops(t)
	began := time.Now()
	s = startServer(t, "serve", s.state, addrs...)
	eventually(t, 10*time.Second, "HTTP answers again", func() error {
		_, failed := s.room(t.Context())
		return failed
	})
	o.answers = time.Since(began)
	w.moves(t, 20*time.Second)
	o.plays = time.Since(began)
	w.goesOn(t, 5)
	after, err := s.room(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Epoch != before.Epoch || after.Session != before.Session {
		t.Errorf("session %s epoch %s became %s %s", before.Session, before.Epoch, after.Session, after.Epoch)
	}
	if o.player, err = w.story(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, o.playlist = segments(t, playlist)
	return o
}

// goesOn waits until the picture has moved on by so many seconds.
func (w watcher) goesOn(t *testing.T, seconds float64) {
	t.Helper()
	from := -1.0
	eventually(t, time.Duration(seconds*4)*time.Second, "the picture goes on", func() error {
		s, err := w.story(t.Context())
		if from < 0 {
			from = s.At
		}
		if err == nil && s.At < from+seconds {
			err = fmt.Errorf("at %v from %v", s.At, from)
		}
		return err
	})
}

// segments returns a media playlist and the number of its newest complete segment.
func segments(t *testing.T, url string) (newest int, playlist string) {
	t.Helper()
	text, err := get(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return firstMSN(t, string(text)) + strings.Count(string(text), "#EXTINF") - 1, string(text)
}

func firstMSN(t *testing.T, playlist string) (msn int) {
	t.Helper()
	_, first, _ := strings.Cut(playlist, "#EXT-X-MEDIA-SEQUENCE:")
	if _, err := fmt.Sscan(first, &msn); err != nil {
		t.Fatalf("%v in\n%s", err, playlist)
	}
	return msn
}

// reservedAhead is how many segments the numbers of a killed server may have gone on.
const reservedAhead = 32

// check wants the player to have gone on at the numbers that come next.
func (o outcome) check(t *testing.T) {
	t.Helper()
	first := firstMSN(t, o.playlist)
	breaks := strings.Count(o.playlist, "#EXT-X-DISCONTINUITY\n")
	t.Logf("HTTP answers after %v, playing after %v; segment %d after %d, %d discontinuity; fatal errors %v",
		o.answers, o.plays, first, o.msn, breaks, o.player.Fatal)
	if o.answers > 2*time.Second || o.plays > 10*time.Second {
		t.Errorf("HTTP answers %v and the picture moves %v after the start, want at most 2 s and 10 s", o.answers, o.plays)
	}
	if first <= o.msn || first > o.msn+1+reservedAhead || breaks != 1 {
		t.Errorf("segment %d after %d, %d discontinuities, want 1:\n%s", first, o.msn, breaks, o.playlist)
	}
	if o.player.Reloads != 0 {
		t.Errorf("the source was loaded %d times again", o.player.Reloads)
	}
}
