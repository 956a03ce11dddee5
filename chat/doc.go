// Package chat carries comments between the people of a room, on one node or on
// many. PROTOCOL.md is what a page has to know.
//
// One comment's journey: subscriber.read parses the frame, room.say cleans and
// checks the comment and puts it, encoded once and for all, into the room's
// intake. The flush loop appends the intake to the log, in batches below 1 MiB, and
// publishes what is said there, merged by key, as a numbered partial (view,
// Log.Append). Every node of the room keeps the partial (gather).
// The node that holds the room's lease, the leader, merges what has come,
// chooses what is shown, numbers the tick and publishes it (compose, Store.Advance).
// Every node puts that one prepared frame on its tape (deliver); each
// subscriber's writer follows the tape with a pointer (follow); who wrote gets acks.
// Every node also takes what the tick confirmed into its tables of combos and
// turns (learn, see): whoever leads next goes on with the same totals.
//
// A node without its broker puts what is said into its spool, a journal on its own
// disk (setAside), and shows it to its own subscribers without a number (showLocal). When
// the broker answers it carries the spool there, in order (replay): what the log has is
// not appended again, and the partial goes the ordinary way.
//
// A node that hears a number too high, or whose link came back, or that opens a room,
// reads the ticks between from the store (fill, adopt) and delivers them in order.
//
// Order: what a host or moderator wants (order) becomes part of the room's rules in
// the store (change), and a record of its log (enact). Nodes learn of a new version from
// partials and leases, read it (study) and put it into force (enforce). Deletes are
// events: they ride partials and ticks as comments do, so that nobody misses them.
//
// Ticks also go on the room's shelf (shelve), which cuts them into segments of ten
// seconds of picture for whoever goes back there. The leader's keeper copies the log to
// disk (copyLog), then the segments (saveShelf), and only then trims the log; see
// internal/archive and internal/segment. How far it is rides the ticks, so that the
// next leader goes on there.
//
// Invariants
//
//   - Over all nodes, and when nothing is on its way: logged = accepted = shown +
//     combined + rest.
//   - An ack other than "rejected" means: in the log, or in a spool and in the log later.
//   - Nothing goes directly to the broker while something waits in the room's spool: what
//     one node says stays in order.
//   - A partial is merged exactly once. Its sender repeats it until a tick
//     confirms it; a tick's bus frame names the last merged partial of every node, so
//     that the next leader goes on where the last one stopped; a late partial
//     goes into the next tick.
//   - Every tick of an epoch reaches every subscriber, in order and once, or a gap
//     names it.
//   - A batch leaves the log by Trim only when its comments are on disk, in the
//     room's log and in segments that can hardly change.
//   - On one disk no comment is missing after a kill, and none is double.
//   - A subscriber holds a pointer, at most 128 private frames and two goroutines,
//     whatever happens in the room.
//   - No lock is held during a call of the broker or a write to a socket. Locks are
//     taken in the order room.mu, authorShard.mu, intake.mu; accepting a comment does
//     not take room.mu.
//   - A combo's total counts every comment of its key in ticks, those too that were
//     only counted when they came, as far back as the room remembers: 65,536 keys.
//   - A comment asks a law that never changes (internal/rules), by one atomic load.
//   - What an order did is in the log; addresses of people and tokens are not.
//
// Decisions
//
//   - Rules are state that is compared, over commands that are sent: a node that was
//     away has nothing to catch up with, and events for pages come out of the difference.
//   - A store that lost its rules gets them from the node that knows the newest revision,
//     over believing it: people were promised that a ban lasts.
//   - The address of a banned person is banned for a day by the node that sees him, over
//     for good: schools share one, and tomorrow it is somebody else's.
//   - One leader per room that finishes ticks, over every node merging for itself:
//     everybody sees the same comments in the same order under one number, and can
//     resume on any node. The price is one more hop inside the broker.
//   - Partials with running numbers, kept by every node until confirmed, over
//     trusting publish: pub/sub loses silently, and the leader may die between the
//     partial and the tick. It costs one number per node in a tick's bus frame.
//   - A journal for the memory broker, over RAM: what was acknowledged outlives the process,
//     and numbers go on. It costs one write of what is said; RAM keeps only where it lies.
//     Rules are in a database of their own, because they are few and outlive every journal.
//   - Ticks that were missed are read by the lead loop, over a loop of their own: the
//     next leader must know what the last tick confirmed before he merges. The bus is a
//     hint that there is news; the log is what counts.
//   - Late ticks do not count as being behind, over skipping: a back-fill comes in one
//     gasp, and nobody was slow.
//   - Ticks before the ring are read once for all who come back within seconds, over a
//     reading for each: after a fault they come by the thousand, for the same ones.
//   - Ticks follow comments at the least interval, over a ticker: a lone comment
//     is seen at once, and a silent room costs two wake-ups a second.
//   - A shared tape with a pointer per subscriber, over a queue per subscriber:
//     70,000 queues are gigabytes in the moment when everybody shouts.
//   - Acks wait for the tick, over acks at once: "shown" and "only counted" are
//     known there. After 3 s without one the writer hears "spooled".
//   - When the broker is away comments are kept on disk, over RAM: an ack must not outlive
//     its promise. Without a spool, or when it is full, they are refused.
//   - Local comments have no number, over an epoch of the node's own: nothing is reset, whoever
//     comes back resumes where ticks stopped, on any node, and a client drops ids that it knows.
//   - A batch is known by the id of its first comment, over node and number: it gets its
//     number when it is sent, so that none is used up by what waits, and one process can carry on
//     with what another left.
//   - The partial is made when it is sent, over keeping it in the spool: it is of the moment, and
//     nothing on disk depends on the layout of bus frames.
//   - After the broker was away the last 10 s of acknowledged batches are looked for in the
//     log and appended again, over trusting it: the one that took over may lack them.
//   - A leader goes on behind the highest number it knows, over what the store says after it
//     lost some: subscribers have seen those.
//   - A batch whose append failed is looked for in the log when the broker answers
//     again, over refusing it at once: a timeout does not say whether it was taken.
//     After 5 s without an answer it is refused; only then may it yet be shown, and
//     twice when it is sent again.
//   - 30 shown comments a second with two seconds' worth at once, over the 60 there
//     were before combos: more nobody can read, and what is said by many takes one place.
//   - Combos by key (text.AppendKey) and two seconds of the picture, over seconds of
//     the clock: who watches 25 s later shouts at the same picture. ばるす, ﾊﾞﾙｽ!! and
//     バルス are one; 草 and 草草 are two.
//   - A partial counts by hash, over sending every comment to every node: in a surge
//     it is a tenth of the bytes, and in one shout next to none. Comments that could be shown
//     go along, as many as the budget could take at most, which is enough for
//     the leader to choose as if it had all of them.
//   - Turns, over chance: who was shown longest ago comes first, and below half of the budget
//     a turn costs having waited, so that a crowded moment is not paid for by those in it.
//     One per author and tick while others wait; with room left, all of them, because
//     then nobody gains from hiding one.
//   - Readers wait for a log that is more than 8 MiB behind, over refusing at once: TCP
//     slows the senders, and what was read is kept. At 64 MiB comments are refused (busy).
//   - The archive's mark in the ticks, over a key in the store: nodes hear it without
//     asking. Where nodes have disks of their own, a kill may leave the last second of
//     comments on two of them; equal ids tell.
//   - A room is archived once something was said in it, or video knows it, over every
//     room: anybody can open one by its address.
package chat
