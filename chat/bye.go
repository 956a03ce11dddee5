package chat

import (
	"math/rand/v2"
	"time"

	"barrage/chat/internal/rules"
)

// bye is why a connection ends: the close code and words for the page, and the
// label for the metrics.
type bye struct {
	code   int
	reason string
	label  string
	retry  time.Duration // when to come back; negative = not by itself
}

// Close codes of protocol v1 (RFC 6455, 7.4.2: 4000 to 4999 are ours).
const (
	codeNotUTF8 = 1007
	codeBinary  = 1003

	codeRestart = 4001
	codeSlow    = 4002
	codeToken   = 4003
	codeHello   = 4004
	codeBanned  = 4005
	codeFlood   = 4006
	codeIdle    = 4008
	codeBusy    = 4009
)

const never = -time.Millisecond

func byeSlow() bye            { return bye{codeSlow, "slow", "slow", time.Second} }
func byeToken(why string) bye { return bye{codeToken, why, "token", 0} }
func byeHello(why string) bye { return bye{codeHello, why, "hello", never} }
func byeBanned(s rules.Sentence, now int64) bye {
	return bye{codeBanned, "banned", "banned", time.Duration(s.Left(now)) * time.Millisecond}
}
func byeFlood() bye                  { return bye{codeFlood, "flood", "flood", 10 * time.Second} }
func byeIdle() bye                   { return bye{codeIdle, "idle", "idle", time.Second} }
func byeBusy(turn time.Duration) bye { return bye{codeBusy, "busy", "busy", turn} }
func byeNotUTF8() bye                { return bye{codeNotUTF8, "not_utf8", "not_utf8", never} }
func byeBinary() bye                 { return bye{codeBinary, "binary", "binary", never} }

// byeGone is not said: the other side has left or broken the rules of WebSocket,
// and the library has answered.
func byeGone(label string) bye { return bye{label: label} }

func closeReasons() []string {
	return []string{"restart", "slow", "token", "hello", "banned", "flood", "idle", "busy", "not_utf8", "binary", "too_large", "gone"}
}

// restartBye spreads the return of n subscribers so that about 3,000 come each
// second, as many as one node can greet.
func restartBye(n int) bye {
	spread := min(max(time.Duration(n)*time.Second/3000, 2*time.Second), 30*time.Second)
	return bye{codeRestart, "restart", "restart", 500*time.Millisecond + rand.N(spread)} //nolint:gosec // jitter, not a secret
}

// Statuses of an ack.
const (
	statusShown    = "shown"
	statusMerged   = "merged"
	statusRest     = "rest"
	statusSpooled  = "spooled"
	statusRejected = "rejected"
)

// Reasons of a rejected comment.
const (
	rejectTooLong     = "too_long"
	rejectEmpty       = "empty"
	rejectTooFast     = "too_fast"
	rejectUnavailable = "unavailable"
	rejectBusy        = "busy"
	rejectMode        = "bad_mode"
	rejectColor       = "bad_color"
	rejectMuted       = "muted"
	rejectSlow        = "slow_mode"
	rejectBlocked     = "blocked"
)

func rejectReasons() []string {
	return []string{
		rejectTooLong, rejectEmpty, rejectTooFast, rejectUnavailable, rejectBusy, rejectMode, rejectColor,
		rejectMuted, rejectSlow, rejectBlocked,
	}
}
