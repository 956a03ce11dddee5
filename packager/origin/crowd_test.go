package origin_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// crowd is many players of a server, in a process of their own: what the server's
// process computes is then what they cost.
type crowd struct {
	Addr     string
	Conns    int      // connections, each from a loopback address that 100 share
	Requests int      // of all of them together
	Paths    []string // what each asks for in turn; two %d are the media sequence number and the part, one is the part's number
	MSN      int      // the numbers each begins with
	Part     int
	Number   int
	Parts    int // of a segment
}

// tally is what a crowd has seen.
type tally struct {
	Bytes    int64
	Ended    []int64 // when the last request of each connection was answered, Unix nanoseconds, sorted
	Failures string
	conns    []net.Conn // still open: to close them is no part of an answer
}

func (c crowd) run() tally {
	var all sync.WaitGroup
	var mu sync.Mutex
	var out tally
	var errs []error
	for i := range c.Conns {
		n := c.Requests / c.Conns
		if i < c.Requests%c.Conns {
			n++
		}
		all.Go(func() {
			conn, bytes, err := c.player(i, n)
			end := time.Now().UnixNano()
			mu.Lock()
			defer mu.Unlock()
			out.conns = append(out.conns, conn)
			out.Bytes += bytes
			out.Ended = append(out.Ended, end)
			if err != nil && len(errs) < 3 {
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	slices.Sort(out.Ended)
	if err := errors.Join(errs...); err != nil {
		out.Failures = err.Error()
	}
	return out
}

var errAnswer = errors.New("answer")

func (c crowd) player(i, n int) (conn net.Conn, size int64, err error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/100>>8), byte(i/100))}
	from.IP[15]++
	conn, err = (&net.Dialer{LocalAddr: from}).Dial("tcp", c.Addr)
	if err != nil {
		return nil, 0, err
	}
	in := bufio.NewReaderSize(conn, 2048)
	for k := range n {
		at := c.Part + k/len(c.Paths)
		path := c.Paths[k%len(c.Paths)]
		switch countVerbs(path) {
		case 1:
			path = fmt.Sprintf(path, c.Number+k/len(c.Paths))
		case 2:
			path = fmt.Sprintf(path, c.MSN+at/c.Parts, at%c.Parts)
		}
		if _, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: crowd\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: http://localhost/r/live\r\n\r\n"); err != nil {
			return conn, size, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return conn, size, err
		}
		got, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if size += got; err != nil {
			return conn, size, err
		}
		if resp.StatusCode != http.StatusOK {
			return conn, size, fmt.Errorf("%w: %s: %s", errAnswer, path, resp.Status)
		}
	}
	return conn, size, nil
}

func countVerbs(path string) (n int) {
	for i := range len(path) - 1 {
		if path[i:i+2] == "%d" {
			n++
		}
	}
	return n
}
