// Package peer holds the checker against another maker of HLS. It is a module of
// its own, so that what only this test needs stays out of the server's go.mod.
package peer
