package chat

import (
	"math/rand/v2"
	"time"
)

// longestTurn bounds how long anybody is asked to wait for his turn.
const longestTurn = 30 * time.Second

// gate lets in as many newcomers a second as the node can greet without those
// who are there noticing, and gives the others a turn each, so that a crowd
// that was cut off comes back in a stream. Guarded by registry.mu.
type gate struct {
	entered gcra
	turns   gcra // its tat is when the last turn is over
}

// pass returns 0 for who may enter now. The others may come back after turn, or
// get errCrowded when turns are given away for longer than anybody should wait.
func (g *gate) pass(now time.Duration, perSecond int) (turn time.Duration, err error) {
	each := time.Second / time.Duration(perSecond)
	if g.entered.take(now, each, max(perSecond/4, 1), 1) == 0 {
		return 0, nil
	}
	if g.turns.take(now, each, int(longestTurn/each), 1) > 0 {
		return 0, errCrowded
	}
	// Whoever comes to the front of the line at once would meet the same crowd.
	return g.turns.tat - now + 250*time.Millisecond + rand.N(time.Second), nil //nolint:gosec // jitter, not a secret
}
