// Package e2e runs the real binary against real ffmpeg, Redis and Chromium.
//
// A journey: TestMain builds bin/barrage once; a test starts the roles it needs
// on free loopback ports with a state directory of its own, lets ffmpeg publish,
// and looks at what comes out with ffprobe, a browser and chat clients. What
// people are told when something breaks is listed in FAULTS.md, and every row
// of it is a test.
//
// The files reliability_*_test.go attack the same binary and measure it from
// outside (memory and time from /proc, counts from /metrics); each row of the
// table that `make reliability` prints is one test, or one subtest of it.
//
// The files clients_*_test.go send clips with the encoders people use, and a real
// OBS, and count every access unit from the encoder to the playlist. What a clip
// holds is known; what OBS sends is counted on the wire by a tap.
//
// The files players_*_test.go let real players watch through a [front] that keeps
// every playlist and every address: how often a picture stands still, what players
// complain about, how far behind they are, and whether they go on when the publisher
// or the server was away. The pages are in players/.
//
// Everything here needs one of the tags e2e, reliability, clients and players: plain
// `go test ./...` needs Go alone. A missing tool is a failure that says what to
// install, never a skip.
//
// Decisions
//
//   - Processes, over the App in this process: signals, exit codes, files and
//     ports are part of what operators rely on.
//   - Polling with a deadline ([eventually]), over sleeping: a test waits exactly
//     as long as the machine needs.
//   - Chromium through playwright-core in one Node process that speaks JSON
//     lines, over tests in a second language: one test tells one story, from the
//     encoder to the picture.
//   - Attackers come from many loopback addresses, 127.0.x.y, over turning the
//     bounds per address off: the server is attacked as it is shipped.
package e2e
