// Package web serves the pages: the directory of rooms, the room with its
// picture and bullets, the anchor's studio, the player for frames elsewhere and
// the overlay for OBS.
//
// The TypeScript in src is bundled by build.mjs into dist, which is embedded.
// One request for /r/live goes: slug checked → template with the configuration
// in <meta> tags → strict security headers → the browser loads the hashed,
// immutable files of /assets/ → the page talks to the media role's JSON API
// and to the chat role's WebSocket on its own.
//
// Invariants
//
//   - The package knows neither video nor chat; it hands their addresses on.
//   - No page holds an inline script, an inline style or a foreign address, so
//     the Content-Security-Policy needs no exception.
//   - A file under /assets/ never changes under its name.
//   - One page may stand in a frame, /embed/, and nothing in it acts for its reader.
//
// # Decisions
//
//   - Configuration in <meta> tags, over a script block or a config.json: it
//     needs no exception in the policy and no second request.
//   - Pages are shells drawn by script, over HTML rendered on the server: every
//     state of a room changes while somebody looks at it, and two renderers of
//     one state drift apart.
//   - The placeholder in dist keeps `go build` and `go test` free of Node; a
//     binary built that way answers every page with the command that builds it.
//   - Files are compressed once at build time, over on the fly: 180 KiB of
//     player would cost more CPU than the segments behind it.
//   - No framework in the page: a room has about thirty moving parts, and the
//     budget of 250 KiB is spent on the player.
//   - The list of comments is the record, in the order of the chat; bullets are
//     the moment, at the writer's place in the stream. So a comment for which
//     the screen has no lane is still read by everybody.
//   - Bullets have a plan in media time (src/bullets/plan.ts), over drawing what
//     comes: the same lane for everybody whose stage has the same shape, and a
//     seek, a resize or a look away draws the moment again from it. Comments take
//     their lanes in the order of the ticks; what is late flies beside the plan.
//   - Bullets of one speed ride in one moving element (src/bullets/sky.ts), over one
//     Web Animation each: 300 animations cost 5 ms of CPU at every change of the
//     page, 25 cost 1. So there are four speeds, by width.
//   - A text is measured with a canvas and has a box of a width class, over asking
//     the browser: no layout is read, and fonts that differ a little have one wall.
//     Every box has room for a combo's number, so that none grows into its neighbour.
//   - The page marks its media requests with a CMCD session header on the same
//     origin only: on another one the header would cost a preflight request per
//     segment, and a cache in between counts nobody anyway.
//   - Frames of the same origin by default, over nobody: an operator's own site is
//     no stranger. Everybody else is listed, because frame-ancestors is the only
//     defence against a stolen click that needs no script.
//   - The title of a room is in the HTML, over left to the script: what makes the
//     card of a shared link runs none.
//   - Rooms are searched in the page, over an API of searches: it has them all
//     anyway, and the answer to a key waits for no network.
//   - The overlay has no playhead, so it waits for none: OBS shows the scene before
//     any viewer does.
//   - Together by playback rate (src/pacer.ts), over seeking: nobody sees or hears
//     it. By the server's time (src/clock.ts), over the viewer's: clocks of two
//     phones differ by more than a joke lasts. hls.js's own catching up is off
//     meanwhile, because two hands on one wheel swing.
//   - Distance of its own after a second stall, over chasing: a page that stalls
//     again and again sees less of the party than one that is a second late.
//   - Likes fly when they come, over at their moment: they are many and nobody's.
//   - The picture of link cards is one file, over one of each room: drawing text
//     on the server needs fonts of all scripts.
//   - hls.js over native HLS everywhere but on Apple's engine: only there is
//     the native player the better one.
package web
