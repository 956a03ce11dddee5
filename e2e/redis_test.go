//go:build e2e || reliability

package e2e_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// redisServer is a real Redis with the shipped configuration.
type redisServer struct {
	*process
	dir  string
	port int
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	r := &redisServer{dir: t.TempDir(), port: freePort(t)}
	r.start(t)
	return r
}

// start runs it, again at the same address when it was stopped.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.process = start(t, nil, "redis-server", filepath.Join(root, "deploy", "redis.conf"),
		"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir)
	eventually(t, 10*time.Second, "Redis listens", func() error {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (r *redisServer) setting() string {
	return fmt.Sprintf("BARRAGE_CHAT_REDIS_URL=redis://127.0.0.1:%d/0", r.port)
}

// freePort is a port that was free a moment ago: for programs that cannot say
// which one they took, and for addresses that must stay the same over a restart.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err = l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
