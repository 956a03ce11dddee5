//go:build reliability

package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// tableVar names the environment variable with the file that rows are added to.
const tableVar = "RELIABILITY_TABLE"

// row is one line of the table that `make reliability` prints: what was tried,
// whether it passed, and with which numbers.
type row struct {
	t        *testing.T
	id, what string
	numbers  []string
}

// newRow begins a row; it is written when its test has ended.
func newRow(t *testing.T, id, what string) *row {
	t.Helper()
	r := &row{t: t, id: id, what: what}
	t.Cleanup(r.write)
	return r
}

// measured adds a number to the row.
func (r *row) measured(format string, args ...any) {
	r.t.Helper()
	r.numbers = append(r.numbers, fmt.Sprintf(format, args...))
	r.t.Logf(format, args...)
}

func (r *row) write() {
	result := "pass"
	if r.t.Failed() {
		result = "**fail**"
	}
	line := fmt.Sprintf("| %s | %s | %s | %s |\n", r.id, r.what, result, strings.Join(r.numbers, "; "))
	path := os.Getenv(tableVar)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(line) // one write: rows of parallel tests do not mix
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		r.t.Error(err)
	}
}

// memory is the resident memory of a process in bytes.
func (p *process) memory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(rest + " ?")[0], 10, 64)
	if err != nil {
		t.Fatalf("VmRSS: %v in %s", err, text)
	}
	return kib << 10
}

// ticksPerSecond is the unit of times in /proc on every Linux we run on.
const ticksPerSecond = 100

// cpu is the time that a process has computed, in seconds.
func (p *process) cpu(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11]) // utime and stime: fields 14 and 15 of proc(5)
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("/proc/stat: %q", text)
	}
	return float64(user+system) / ticksPerSecond
}

// files counts the open files of a process.
func (p *process) files(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// metric reads one value of the admin listener, such as
// `barrage_ingest_connections_ended_total{reason="protocol"}`.
func (s *server) metric(t *testing.T, name string) float64 {
	t.Helper()
	body, err := get(t.Context(), s.admin("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
