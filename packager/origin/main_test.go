package origin_test

import (
	"encoding/json"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// loadVar makes this test binary a crowd of players instead, see crowd.
const loadVar = "ORIGIN_LOAD"

func TestMain(m *testing.M) {
	if text := os.Getenv(loadVar); text != "" {
		var c crowd
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		seen := c.run()
		if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, os.Stdin) // its end says that the server has been measured
		for _, conn := range seen.conns {
			_ = conn.Close()
		}
		return
	}
	goleak.VerifyTestMain(m)
}
