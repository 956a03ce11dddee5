//go:build reliability

package e2e_test

import "testing"

// TestR07Restart kills the server in the middle of a stream.
func TestR07Restart(t *testing.T) {
	r := newRow(t, "R07", "kill -9 of the server while hls.js plays")
	o := restart{kill: true}.run(t)
	first := firstMSN(t, o.playlist)
	r.measured("HTTP answers after %.2f s, the picture moves after %.1f s, without a reload; segment %d after %d",
		o.answers.Seconds(), o.plays.Seconds(), first, o.msn)
	o.check(t)
}
