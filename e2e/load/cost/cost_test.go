//go:build load

package cost_test

import (
	"os"
	"testing"
	"time"

	"barrage/e2e/load/cost"
)

func TestStat(t *testing.T) {
	u, err := cost.Parse([]byte("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 20 300 21"), 4096)
	if err != nil || u.CPU != 2*time.Second || u.RSS != 300*4096 {
		t.Errorf("usage %+v, %v, want 2 s and 300 pages", u, err)
	}
	for _, bad := range []string{"", "7 (a", "7 (a) S 1", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 50 13 14 15 16 17 18 19 20 300 21"} {
		if _, err = cost.Parse([]byte(bad), 1); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	if u, err = cost.Of(os.Getpid()); err != nil || u.RSS == 0 {
		t.Errorf("own usage %+v, %v", u, err)
	}
}

func TestMachine(t *testing.T) {
	busy, err := cost.ParseMachine([]byte("cpu  100 20 3 4000 500 6 70 8 0 0\ncpu0 1 2 3\n"))
	if err != nil || busy != 2070*time.Millisecond {
		t.Errorf("busy %v, %v, want 2.07 s", busy, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 x 4 5 6 7 8"} {
		if _, err = cost.ParseMachine([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	if busy, err = cost.Machine(); err != nil || busy <= 0 {
		t.Errorf("this machine: %v, %v", busy, err)
	}
}
