// Package brokertest is the contract of package chat's Broker as a test: Run
// opens an implementation and holds every sentence of the interfaces' comments
// against it. StartRedis gives the tests that need one a Redis of their own.
//
// One journey: an implementation's test calls Run with an Open; each subtest
// opens a fresh backend, asks it for one or several nodes, subscribes recorders,
// acts, and waits for what the recorders saw.
//
// Decisions
//
//   - Several nodes on one backend, over one broker per test: what a broker is
//     for happens between nodes. A node of the memory implementation is the
//     broker itself; a node of Redis is a client of its own.
//   - Waiting for what a recorder saw, over waiting for a while: a silent "did
//     not arrive" is proved by a later frame of the same sender that did.
//   - The contract lives outside the _test files, as testing/fstest does, so that
//     every implementation, in this module or not, can be held against it.
package brokertest
