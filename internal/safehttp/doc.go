// Package safehttp holds what both roles need to speak HTTP to strangers: the
// limits of a server, who a request comes from, which web sites may ask, and
// one form of an error.
//
// A request's journey: the limits of [Server] bound what it may cost before a
// handler sees it; [Clients.Addr] names the person behind our own proxies;
// [AllowOrigin] decides for the one kind of request browsers send across sites
// without asking, the WebSocket upgrade; [WriteError] answers in words a
// program and a person can read.
//
// Invariants: the address of a client is never taken from a header that an
// untrusted peer wrote; an address is never IPv4-in-IPv6, so that one person
// has one address.
//
// Decisions
//
//   - X-Forwarded-For from the right, over Forwarded or X-Real-IP or the left
//     end: every proxy appends to it, and only what our own proxies appended is
//     true.
//   - A broken list means the peer's address, over the last good entry: a proxy
//     that writes something unreadable is misconfigured, and limits that then
//     fall on the proxy are noticed, while limits that fall on nobody are not.
//   - Same host or an exact listed origin, over suffixes and patterns: a pattern
//     is where allow-lists leak.
//   - Whole-request timeouts of a minute, over none or over a deadline for each
//     write: an answer may block for seconds (blocking playlist reload) and a slow
//     phone may take long for a segment, but whoever takes a minute is no viewer.
//     It costs one deadline a request, and a client that stops reading is gone
//     after a minute; one that stops taking HTTP/2 frames after 20 s.
package safehttp
