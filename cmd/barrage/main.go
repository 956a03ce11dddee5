// Command barrage is a live-streaming server: RTMP in, HLS and bullet comments out.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"barrage/cmd/barrage/app"
)

// version is set at link time.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, app.Process{
		Version: version,
		Args:    os.Args[1:],
		Env:     os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	})
	stop()
	os.Exit(code)
}
