//go:build (clients || players) && !e2e && !reliability

package e2e_test

// requireTools asks for what every test uses; the others ask for theirs.
func requireTools() error { return require(program{"ffmpeg", "ffmpeg"}) }
