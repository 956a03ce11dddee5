package guard_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"barrage/ingest/flv"
	"barrage/ingest/guard"

	"github.com/yutopp/go-rtmp"
	"github.com/yutopp/go-rtmp/message"
)

// tenSeconds is what an encoder of 4.2 Mb/s sends: 5 MB in perRound messages.
func tenSeconds(w *wire) *wire {
	for i := range uint32(300) {
		size := 15_600
		if i%60 == 0 {
			size = 110_000
		}
		// An access unit of one slice.
		w.message(guard.KindVideo, i*33, 1, "\x27\x01\x00\x00\x00"+string(u32(uint32(size)))+"\x41\x9a"+strings.Repeat("v", size-2))
	}
	for i := range uint32(473) {
		w.message(guard.KindAudio, i*21, 1, "\xaf\x01"+strings.Repeat("a", 340))
	}
	return w
}

const perRound = 773

// BenchmarkReader is the pure half alone.
func BenchmarkReader(b *testing.B) {
	for _, chunk := range []int{128, 4096, 65536} {
		b.Run(fmt.Sprint(chunk), func(b *testing.B) {
			w := newWire()
			w.chunk = chunk
			data := tenSeconds(w).b
			start := newWire().chunkSize(chunk).b
			r := guard.NewReader(func(guard.Drop) {})
			r.SetPublishing(true)
			if _, _, err := r.Next(start); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				for rest := data; len(rest) > 0; {
					rest, _, _ = r.Next(rest)
				}
			}
		})
	}
}

// BenchmarkGuardAndLibrary is the whole way from the bytes of a client through the
// demuxer, in one goroutine; "kept" copies every sample for a packager to keep.
func BenchmarkGuardAndLibrary(b *testing.B) {
	for i, chunk := range []int{128, 4096, 65536, 128, 4096, 65536} {
		d := demuxer{keep: i >= 3}
		name := fmt.Sprint(chunk)
		if d.keep {
			name += "/kept"
		}
		b.Run(name, func(b *testing.B) {
			d.samples = 0
			head := publisher().chunkSize(chunk)
			w := newWire()
			w.chunk = chunk
			data := tenSeconds(w).b
			loop := &looped{head: append(handshake(), head.b...), body: data, left: b.N}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			began := cpu(b)
			b.ResetTimer()
			serve(b, loop, d.media)
			b.StopTimer()
			spent := cpu(b) - began
			if want := perRound * b.N; d.samples != want {
				b.Fatalf("%d samples, want %d", d.samples, want)
			}
			// Of the processor, whatever else the machine is doing.
			b.ReportMetric(float64(len(data)*b.N)/float64(spent.Nanoseconds()), "GB/cpu-s")
		})
	}
}

// cpu is the time that the process has had of the processor.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// demuxer does with a message what ingest does.
type demuxer struct {
	packets []flv.Packet
	keep    bool
	sample  []byte // the last one that was kept
	samples int
}

func (d *demuxer) media(kind guard.Kind, _ uint32, body []byte) (err error) {
	parse := flv.AppendVideo
	if kind == guard.KindAudio {
		parse = flv.AppendAudio
	}
	if d.packets, err = parse(d.packets[:0], body); err != nil {
		return err
	}
	for _, p := range d.packets {
		if kind == guard.KindVideo {
			if au, err := flv.Inspect(p.Codec, p.Data); err != nil || !au.Picture {
				return fmt.Errorf("%d bytes are no picture: %w", len(p.Data), err)
			}
		}
		if d.keep {
			d.sample = bytes.Clone(p.Data)
		}
		d.samples++
	}
	return nil
}

// engine is go-rtmp's part: it lets everybody publish.
type engine struct{ rtmp.DefaultHandler }

func (*engine) OnPublish(*rtmp.StreamContext, uint32, *message.NetStreamPublish) error { return nil }

// looped gives head once, body left times, and then ends.
type looped struct {
	network
	head, body, have []byte
	left             int
}

func (l *looped) Read(p []byte) (int, error) {
	if len(l.head) > 0 {
		n := copy(p, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	if len(l.have) == 0 {
		if l.left == 0 {
			return 0, io.EOF
		}
		l.left--
		l.have = l.body
	}
	n := copy(p, l.have)
	l.have = l.have[n:]
	return n, nil
}

func (l *looped) Write(p []byte) (int, error) { return len(p), nil }

// serve runs go-rtmp over one connection until that ends.
func serve(tb testing.TB, inner io.ReadWriteCloser, media func(guard.Kind, uint32, []byte) error) {
	tb.Helper()
	once := &onceListener{done: make(chan struct{})}
	c := guard.New(inner, guard.Options{Media: media})
	srv := rtmp.NewServer(&rtmp.ServerConfig{OnConnect: func(net.Conn) (io.ReadWriteCloser, *rtmp.ConnConfig) {
		return &closer{ReadWriteCloser: c, closed: once.done}, &rtmp.ConnConfig{
			Handler: &engine{}, SkipHandshakeVerification: true, ReaderBufferSize: 512,
			ControlState: rtmp.StreamControlStateConfig{MaxChunkStreams: 4, MaxMessageStreams: guard.MessageStreams},
		}
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(once) // rtmp.ErrClosed
	}()
	<-once.done
	_ = srv.Close()
	<-done
	if err := c.Err(); err != nil {
		tb.Fatal(err)
	}
}

type closer struct {
	io.ReadWriteCloser
	closed chan struct{}
}

func (c *closer) Close() error { defer close(c.closed); return c.ReadWriteCloser.Close() }

// onceListener has one connection, and ends when that does.
type onceListener struct {
	given bool
	done  chan struct{}
}

func (l *onceListener) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return nil, nil //nolint:nilnil // OnConnect has the connection
	}
	<-l.done
	<-time.After(time.Millisecond)
	return nil, net.ErrClosed
}

func (l *onceListener) Close() error   { return nil }
func (l *onceListener) Addr() net.Addr { return nil }
