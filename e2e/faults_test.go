//go:build e2e

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFaultsAreAllTested keeps the table and the tests together.
func TestFaultsAreAllTested(t *testing.T) {
	var tests strings.Builder
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	rows := faults(t)
	if len(rows) < 10 {
		t.Fatalf("FAULTS.md has %d rows", len(rows))
	}
	for name := range rows {
		if !strings.Contains(tests.String(), `"`+name+`"`) {
			t.Errorf("no test asserts the row %q", name)
		}
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	s := serve(t)
	wrong := s.publishURL(t)
	wrong = wrong[:len(wrong)-4] + "AAAA"
	ffmpeg := publish(t, wrong, card{noAudio: true})
	if code := ffmpeg.wait(t, 20*time.Second); code == 0 {
		t.Error("ffmpeg ended with 0")
	}
	if err := says(t, "wrong key", ffmpeg.log.String()); err != nil {
		t.Error(err)
	}
	eventually(t, 2*time.Second, "the log", func() error { return says(t, "wrong key, for the operator", s.log.String()) })
	if strings.Contains(s.log.String(), filepath.Base(wrong)) {
		t.Error("the log holds the key")
	}
	// A wrong key must not stand in the way of the right one.
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
}

func TestBadStarts(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	typo := filepath.Join(t.TempDir(), "barrage.yaml")
	if err := os.WriteFile(typo, []byte("http:\n  addr: 127.0.0.1:0\n  colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fault string
		args  []string
		env   string
		code  int
	}{
		{"port taken", []string{"serve"}, "BARRAGE_HTTP_ADDR=" + taken.Addr().String(), 1},
		{"unknown configuration key", []string{"serve", "-config", typo}, "", 78},
		{"unknown configuration key", []string{"check", "-config", typo}, "", 78},
		{"no Redis address in the split shape", []string{"chat"}, "", 78},
		{"no Redis address in the split shape", []string{"media"}, "", 78},
	} {
		p := start(t, []string{c.env, "BARRAGE_ADMIN_ADDR=127.0.0.1:0"}, binary, append(c.args, "-state-dir", t.TempDir())...)
		if code := p.wait(t, 10*time.Second); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.args, code, c.code)
		}
		if err := says(t, c.fault, p.log.String()); err != nil {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}

func TestBadComments(t *testing.T) {
	t.Parallel()
	// However slow the machine, the fifth comment comes too early.
	s := serve(t, "BARRAGE_CHAT_RATE=1/m")
	b := startBrowser(t)
	p := b.open(t, "writer", s.url("/r/"+room))
	// The page stops a long comment by itself; the server must not rely on that.
	p.hasCommentBox(t)
	p.fill(t, commentBox, strings.Repeat("好", 201))
	p.promises(t, 5*time.Second, "comment too long")
	comment(t, p, "mia", "first")
	for _, text := range []string{"second", "third", "fourth", "fifth"} {
		again(t, p, text)
	}
	p.promises(t, 5*time.Second, "comments too fast")

	c := join(t, s.url(""), "program")
	cid := c.say(t, strings.Repeat("好", 201))
	eventually(t, 5*time.Second, "too long", func() error {
		ack, err := c.acked(cid)
		if err == nil && (ack.Result != "rejected" || ack.Reason != "too_long") {
			err = fmt.Errorf("ack is %+v", ack)
		}
		return err
	})
	if err := c.WriteRaw([]byte("{\"op\":\"send\",\"cid\":\"x\",\"text\":\"\xff\xfe\"}")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "not UTF-8", func() error {
		if code := c.closeCode(); code != 1007 {
			return fmt.Errorf("close code %d, want 1007", code)
		}
		return says(t, "comment not UTF-8", fmt.Sprint(c.closeError()))
	})
}
