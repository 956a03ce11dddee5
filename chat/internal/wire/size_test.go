package wire_test

import (
	"testing"

	"barrage/chat/internal/wire"
)

// TestTickSize: what a second of the fullest room costs each viewer. Frames up to
// about 10 KB cost the server the same CPU.
func TestTickSize(t *testing.T) {
	tick := wire.Tick{Seq: 123_456, T: 1_790_000_000_000, Viewers: 70_000, Likes: 1_000_000, Rest: 21_000}
	words := []string{"バルス!!", "草草草", "8888", "主播好厉害啊", "www", "きたああああ"}
	for i := range 30 {
		tick.Comments = append(tick.Comments, wire.AppendComment(nil, wire.Comment{
			ID: "hoh0ls9yz6-ohbpyq-1", PDT: 1_790_000_000_123, Author: "kclzlporekll3fvo", Nick: "guest-kclz",
			Text: words[i%len(words)], Mode: "scroll", Color: "#ffffff", Role: "viewer",
		}))
		tick.Combos = append(tick.Combos, wire.Combo{ID: "hoh0ls9yz6-ohbpyq-1", Delta: 4321, Total: 98_765})
	}
	whole, _ := wire.AppendTick(nil, tick)
	tick.Combos = nil
	bullets, _ := wire.AppendTick(nil, tick)
	t.Logf("30 bullets %d bytes, with as many combos %d", len(bullets), len(whole))
	if len(bullets) > 3600 || len(whole) > 4800 {
		t.Errorf("30 bullets take %d bytes, with as many combos %d", len(bullets), len(whole))
	}
}
