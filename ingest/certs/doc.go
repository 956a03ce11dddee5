// Package certs keeps a TLS certificate that is replaced while the server runs. Both
// doors use it: RTMPS and HTTPS.
//
// One journey: [Open] reads the certificate and its key and fails when they are
// no pair. [Pair.Certificate] answers every TLS handshake from memory and looks
// at the files at most once a second. When they changed it reads them again; when what
// it finds is no pair, the old one stays and the log says so. A signal calls
// [Pair.Reload] to look at once.
//
// Invariants
//
//   - There is always a pair: a handshake never fails because of a bad file.
//   - A handshake never waits for another handshake's look at the files.
//   - A connection keeps the certificate it began with: a change ends none.
//
// # Decisions
//
//   - Looking at modification times in handshakes, over watching the files: it
//     needs no goroutine and no library, and works on network file systems and on
//     the symbolic links that Kubernetes swaps.
//   - A bad pair is read again at every look, over remembering that it was bad:
//     renewal tools write the two files one after the other, and the second one may
//     be written within the clock's grain of the first look.
package certs
