package ingest_test

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"barrage/ingest"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ app, tcURL, name, key, room string }{
		{"live", "rtmp://h/live", "KEY", "KEY", ""},
		{"live/KEY", "", "", "KEY", ""},
		{"live/KEY/", "", "", "KEY", ""},
		{"live/room/KEY", "", "", "KEY", ""},
		{"live/room", "", "KEY", "KEY", ""},
		{"live", "", "room?key=KEY", "KEY", "room"},
		{"live", "", "?key=KEY", "KEY", ""},
		{"live?key=KEY", "", "", "KEY", ""},
		{"live?key=KEY", "", "room", "KEY", "room"},
		{"live?key=APP", "rtmp://h/live?key=URL", "room?key=NAME", "NAME", "room"},
		{"live?key=APP", "rtmp://h/live?key=URL", "", "APP", ""},
		{"live", "rtmp://h/live?a=b&key=URL", "room", "URL", "room"},
		{"live", "", "KEY?other=1", "KEY", ""},
		{"live", "", "mp4:KEY.mp4", "KEY", ""},
		{"live", "", "mp4:room.1.0.mac.mp4", "room.1.0.mac", ""},
		{"live", "", "flv:KEY", "KEY", ""},
		{"live", "", "mp3:KEY", "KEY", ""},
		{"live", "", "KEY.flv", "KEY", ""},
		{"live", "", "/KEY", "KEY", ""},
		{"live", "", "mp4:room?key=a%2Db", "a-b", "room"},
		{"live", "", "room/KEY", "KEY", ""},
		{"live", "", "mp4:room/KEY.mp4", "KEY", ""},
		{"", "rtmp://h/", "live/KEY", "KEY", ""},
		{"live/_definst_", "", "KEY", "KEY", ""},
		{"live", "rtmp://h:1935/live/KEY", "", "KEY", ""},
		{"live", "rtmp://h/live/room/KEY/", "", "KEY", ""},
		{"live/APP", "rtmp://h/live/URL", "", "APP", ""},
		{"live/?key=KEY", "", "", "KEY", ""},
		{"live/room?key=KEY", "", "", "KEY", ""},
		{"live", "", "extra/room?key=KEY", "KEY", "room"},
	} {
		key, room, err := ingest.ParseAddress(c.app, c.tcURL, c.name)
		if err != nil || key != c.key || room != c.room {
			t.Errorf("app %q, tcUrl %q, name %q: key %q, room %q, %v, want %q, %q", c.app, c.tcURL, c.name, key, room, err, c.key, c.room)
		}
	}
	for _, c := range []struct{ app, tcURL, name, want string }{
		{"live", "rtmp://h/live", "", "no stream key"},
		{"", "", "", "no stream key"},
		{"live/", "", "?key=", "no stream key"},
		{"live", "rtmp://h/live/", "/", "no stream key"},
		{"live", "rtmp://h", "", "no stream key"},
		{"live", "%", "", "no stream key"},
		{"/live", "", "", "no stream key"},
		{"live", "", "?key=%zz", "no stream key"},
		{"live", "", "房间", "characters"},
		{"live", "", "a\x00b", "characters"},
		{"live", "", strings.Repeat("x", 257), "characters"},
	} {
		if _, _, err := ingest.ParseAddress(c.app, c.tcURL, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("app %q, name %q: %v, want an error with %q", c.app, c.name, err, c.want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("live", "rtmp://h/live", "mp4:room?key=KEY")
	f.Add("live/KEY", "", "")
	f.Fuzz(func(t *testing.T, app, tcURL, name string) {
		key, _, err := ingest.ParseAddress(app, tcURL, name)
		if (err == nil) != (key != "") || len(key) > 256 || strings.ContainsAny(key, " \r\n\x00") {
			t.Errorf("ParseAddress(%q, %q, %q) = %q, %v", app, tcURL, name, key, err)
		}
	})
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  []uint32
		want []int64
	}{
		{"ordinary", []uint32{0, 33, 21, 66}, []int64{0, 33, 21, 66}},
		{"starts late", []uint32{16_780_000, 16_780_033}, []int64{16_780_000, 16_780_033}},
		{"wraps at 2^31 as ffmpeg does", []uint32{2147483621, 6, 40}, []int64{2147483621, 1<<31 + 6, 1<<31 + 40}},
		{"wraps at 2^32", []uint32{math.MaxUint32 - 10, 23}, []int64{math.MaxUint32 - 10, 1<<32 + 23}},
		{"tracks interleaved about the wrap", []uint32{2147483621, 6, 2147483640, 40}, []int64{2147483621, 1<<31 + 6, 2147483640, 1<<31 + 40}},
		{"twice about the long wrap", []uint32{4294967290, 4, 4294967295, 20}, []int64{4294967290, 1<<32 + 4, 1<<32 - 1, 1<<32 + 20}},
		{"small steps back are kept", []uint32{10_000, 9_000}, []int64{10_000, 9_000}},
		{"jump of an hour is kept", []uint32{0, 3_600_000, 0}, []int64{0, 3_600_000, 0}},
		{"second wrap", []uint32{2147483640, 10, 1 << 30, 2147483640, 5}, []int64{2147483640, 1<<31 + 10, 1<<31 + 1<<30, 1<<32 - 8, 1<<32 + 5}},
	} {
		var clock ingest.Clock
		for i, raw := range c.raw {
			if got := clock.Next(raw); got != c.want[i] {
				t.Errorf("%s: time %d of %v = %d, want %d", c.name, i, c.raw, got, c.want[i])
			}
		}
	}
}

func FuzzClock(f *testing.F) {
	f.Add(uint32(0), uint32(2147483640), uint32(5))
	f.Fuzz(func(t *testing.T, a, b, c uint32) {
		var clock ingest.Clock
		for _, raw := range []uint32{a, b, c} {
			if now := clock.Next(raw); now&(1<<31-1) != int64(raw)&(1<<31-1) {
				t.Errorf("times of %d, %d, %d: %d does not end in the 31 bits of %d", a, b, c, now, raw)
			}
		}
	})
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"Panic: invalid state\nmain.go:12\nstack":  "Panic: invalid state",
		"name live.1.0.AAAAAAAAAAAAAAAAAAAAAA bad": "name [...] bad",
		"app live?key=short":                       "app [...]",
		"a\x1b[31m\tb\r":                           "a [31m b",
		"":                                         "",
	} {
		if got := ingest.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
	if got := ingest.Redact(strings.Repeat("ab ", 500)); len(got) > 200 {
		t.Errorf("%d bytes kept, want at most 200", len(got))
	}
}

// brokenListener fails every Accept until it is closed.
type brokenListener struct {
	calls atomic.Int64
	err   error
}

func (b *brokenListener) Accept() (net.Conn, error) { b.calls.Add(1); return nil, b.err }
func (b *brokenListener) Close() error              { return nil }
func (b *brokenListener) Addr() net.Addr            { return &net.TCPAddr{} }

// go-rtmp calls Accept again at once, whatever it returns.
func TestL11AcceptNeverSpins(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		most int64
	}{
		"out of files":        {&net.OpError{Op: "accept", Err: syscall.EMFILE}, 20},
		"closed from outside": {net.ErrClosed, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			inner := &brokenListener{err: c.err}
			l, err := ingest.NewListener(inner, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, accepted := l.Accept()
				ended <- accepted
			}()
			<-time.After(10 * time.Second)
			if n := inner.calls.Load(); n > c.most {
				t.Errorf("%s: %d accepts in 10 s, want at most %d", name, n, c.most)
			}
			if err = l.Close(); err != nil {
				t.Errorf("%s: Close = %v", name, err)
			}
			if err = <-ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: Accept after Close = %v, want net.ErrClosed", name, err)
			}
			if err = l.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: second Close = %v, want net.ErrClosed", name, err)
			}
		})
	}
}

// halfConn can be read and not written.
type halfConn struct {
	net.Conn
	err error
}

func (h *halfConn) Read(b []byte) (int, error)       { return len(b), nil }
func (h *halfConn) Write([]byte) (int, error)        { return 0, h.err }
func (h *halfConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (h *halfConn) SetReadDeadline(time.Time) error  { return nil }
func (h *halfConn) SetWriteDeadline(time.Time) error { return nil }

// oneListener has one connection.
type oneListener struct {
	brokenListener
	conn net.Conn
}

func (o *oneListener) Accept() (net.Conn, error) { return o.conn, nil }

// Media goes past go-rtmp, which therefore does not see that its writes fail.
func TestReadingEndsWhenWritingFails(t *testing.T) {
	cut := errors.New("cable cut")
	l, err := ingest.NewListener(&oneListener{conn: &halfConn{err: cut}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Read(make([]byte, 10)); err != nil {
		t.Errorf("Read before = %v, want nil", err)
	}
	if _, err = c.Write([]byte("x")); !errors.Is(err, cut) {
		t.Errorf("Write = %v, want %v", err, cut)
	}
	if _, err = c.Read(make([]byte, 10)); !errors.Is(err, cut) {
		t.Errorf("Read after = %v, want %v", err, cut)
	}
}
