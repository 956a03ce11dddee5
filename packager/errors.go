package packager

import "errors"

// What a publisher is told.
var (
	// ErrStreamBusy: close the other publisher of the room first, then attach again.
	ErrStreamBusy = errors.New("the room's stream has another publisher")
	// ErrDetached: the publisher has detached; attach again.
	ErrDetached = errors.New("the publisher is detached from the stream")
	// ErrFull: the operator has to allow more memory, or the anchor to wait for a room
	// to end. A publisher that comes back to its room is never told.
	ErrFull = errors.New("the memory of this server (packager.total_bytes) is taken by the rooms that are live: try again when one has ended")
	// ErrStopped: the server is stopping; go elsewhere or come back.
	ErrStopped = errors.New("the packager has stopped")
	// ErrClock: the times of the samples hardly move; the anchor has to restart the encoder.
	ErrClock = errors.New("the encoder's clock stands still: restart the encoder")
	// ErrTrack: the track cannot be packaged; say so to the anchor.
	ErrTrack = errors.New("the track cannot be packaged")
)
