//go:build load

// Package cost reads what a process has cost so far. It is for the tools beside it.
package cost

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat's times: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// Usage is what a process has cost so far.
type Usage struct {
	CPU time.Duration // user and system
	RSS int64         // bytes now
}

// Of reads /proc; a pid of 0 costs nothing.
func Of(pid int) (Usage, error) {
	if pid == 0 {
		return Usage{}, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	return Parse(stat, int64(os.Getpagesize()))
}

// Parse reads proc(5)'s stat: the second field is the program's name in
// parentheses and may hold anything; 14 and 15 are utime and stime, 24 is rss.
func Parse(stat []byte, page int64) (Usage, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return Usage{}, fmt.Errorf("stat %q: no name", stat)
	}
	fields := strings.Fields(string(stat[end+1:])) // from field 3 on
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("stat %q: too short", stat)
	}
	var n [3]int64
	for i, field := range []int{14, 15, 24} {
		v, err := strconv.ParseInt(fields[field-3], 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("stat: field %d: %w", field, err)
		}
		n[i] = v
	}
	return Usage{CPU: time.Duration(n[0]+n[1]) * tick, RSS: n[2] * page}, nil
}

// Machine returns the CPU time that all processes of this machine have taken so far.
func Machine() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return ParseMachine(stat)
}

// ParseMachine reads the first line of proc(5)'s stat: "cpu" and the times of user,
// nice, system, idle, iowait, irq, softirq and steal.
func ParseMachine(stat []byte) (busy time.Duration, err error) {
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("stat %.80q: no line of all CPUs", stat)
	}
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		if i != 3 && i != 4 { // neither idle nor iowait
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}
