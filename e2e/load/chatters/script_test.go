//go:build load

package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// TestLinesAreSendable: what the script says must not be refused by the server.
func TestLinesAreSendable(t *testing.T) {
	for i, v := range voices() {
		for _, line := range slices.Concat(v.lines, v.shouts) {
			if n := utf8.RuneCountInString(line); n == 0 || n > 200 {
				t.Errorf("voice %d: %q has %d runes", i, line, n)
			}
		}
		dice := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			if nick := v.nick(dice, 199); utf8.RuneCountInString(nick) > 24 {
				t.Errorf("nickname %q is longer than 24 runes", nick)
			}
		}
	}
}

// TestWaveIsTheSameForEverybody: people in one wave shout the same word.
func TestWaveIsTheSameForEverybody(t *testing.T) {
	start := time.Unix(1_763_690_010, 0).Truncate(waveEvery)
	n, surge := wave(start.Add(waveLasts / 2))
	if !surge {
		t.Fatal("no wave at its own time")
	}
	if _, later := wave(start.Add(waveLasts)); later {
		t.Error("the wave does not end")
	}
	if next, _ := wave(start.Add(waveEvery)); next != n+1 {
		t.Errorf("wave %d is followed by %d", n, next)
	}
	shouted := 0
	v := english()
	for i := range 100 {
		if v.line(rand.New(rand.NewPCG(uint64(i), 1)), start) == v.shouts[n%len(v.shouts)] {
			shouted++
		}
	}
	if shouted < 60 {
		t.Errorf("%d of 100 people join the wave, want most", shouted)
	}
}
