//go:build load

package main

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

// usage is what a process has cost so far.
type usage struct {
	cpu time.Duration // user and system
	rss int64         // bytes now
}

// usageOf reads /proc; a pid of 0 costs nothing.
func usageOf(pid int) (usage, error) {
	if pid == 0 {
		return usage{}, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	return parseStat(stat, int64(os.Getpagesize()))
}

// parseStat reads proc(5)'s stat: the second field is the program's name in
// parentheses and may hold anything; 14 and 15 are utime and stime, 24 is rss.
func parseStat(stat []byte, page int64) (usage, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return usage{}, fmt.Errorf("stat %q: no name", stat)
	}
	fields := strings.Fields(string(stat[end+1:])) // from field 3 on
	if len(fields) < 22 {
		return usage{}, fmt.Errorf("stat %q: too short", stat)
	}
	var n [3]int64
	for i, field := range []int{14, 15, 24} {
		v, err := strconv.ParseInt(fields[field-3], 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("stat: field %d: %w", field, err)
		}
		n[i] = v
	}
	return usage{cpu: time.Duration(n[0]+n[1]) * tick, rss: n[2] * page}, nil
}
