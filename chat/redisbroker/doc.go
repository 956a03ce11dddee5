// Package redisbroker joins chat nodes through Redis: it is chat.Broker on
// pub/sub (the bus), streams (batches and ticks), and a few keys changed by small scripts
// (leases, numbers, room states). Redis is one server, or a cluster.
//
// One journey: New reads the URL and starts two goroutines for each partition; there
// is one, on a cluster there are sixteen. One keeps the link, the pub/sub connection that
// carries the partition's rooms; the other sends a heartbeat through Redis back to that
// link. Subscribe puts a chat.Mailbox into the link's room and waits for Redis to
// acknowledge the channel. Append, Advance and the rest are one round trip each on the
// pooled connections; on a cluster redirects repeats what a node refused unseen.
//
// Invariants
//
//   - A command takes at most commandTimeout, and no time at all while the last
//     heartbeat failed: a dead Redis does not hold up a tick.
//   - What happens to one shard of a cluster is told to, and refused in, the rooms of
//     its partitions alone.
//   - A handler is told Link(false) before frames can be missing unnoticed for
//     more than silence, and Link(true) only when a heartbeat came back after
//     every room's channel was acknowledged; then it is told the state again.
//   - The receive loop calls nobody: mailboxes take what it brings.
//   - Nothing that could hold a password (URL, options) is logged or wrapped.
//
// Decisions
//
//   - PubSub.ReceiveTimeout in a loop of our own, over PubSub.Channel: Channel
//     hides unsolicited unsubscribes, and drops messages behind a slow reader
//     with a line in a log as the only trace.
//   - A session per connection, thrown away at the first error, over go-redis's
//     silent reconnecting: every loss passes one place that tells the handlers.
//   - A heartbeat through PUBLISH and the link, over PING: after a failover a
//     connection can answer PING for ever and receive nothing.
//   - A script around XADD and PUBLISH, over a plain pipeline: when Redis refuses
//     the write (out of memory, read-only replica) the frame is not sent either.
//     It is still one round trip.
//   - Streams bounded in bytes by a list of sizes beside each, over MAXLEN alone: a
//     batch has between a hundred bytes and a megabyte. It costs three commands inside
//     the script.
//   - A finished tick goes into a stream in the script that numbers it, over trusting
//     publish: whoever hears a later number can read what he missed.
//   - No retries in the client, over go-redis's three: a repeated XADD doubles a
//     batch. Who asked knows better whether to ask again.
//   - RESP2, over RESP3: nothing here needs push messages, and the code that
//     tells them apart has lost pub/sub messages before.
//   - On a cluster sixteen partitions with a slot each, over a slot per room: a room's
//     keys, scripts and channel must be in one slot, a slot that moves takes its
//     subscriptions down, and only a heartbeat in the same slot tells of all that can happen
//     to it. One shard carries a balse moment, so more than sixteen masters gain nothing.
//   - The number of partitions is fixed, over an option: nodes that disagreed about it
//     would not hear each other, and rooms would lose their logs when it changed.
//   - A slot that is on its way is waited for, up to commandTimeout, over following ASK:
//     the keys of a script are on both sides then, and what it publishes on the far side
//     reaches nobody.
//   - Several hosts in the URL mean a cluster, over a setting of its own: nothing else
//     that barrage speaks to has several, and a single seed can say cluster=true.
package redisbroker
