// window.barrage: what end-to-end tests and curious people read. Values are
// computed when they are read, nothing can be set.
//
//   currentState   what the stage shows: connecting, offline, starting, live,
//                  buffering, away, ended, unreachable, unsupported
//   chatState      connecting, open, reconnecting, refused
//   latency        seconds behind the live edge, null before the picture
//   targetLatency  what hls.js aims at
//   lowLatency     whether the playlist has parts and they are used
//   partsLoaded    parts loaded so far
//   fatalErrors    fatal errors of hls.js so far; errors = their names
//   reloads        how often the source was loaded anew after one
//   playhead       program date time under the playhead in ms, or null
//   bulletsShown   bullets drawn so far
//   union          off, own (not live by choice), joining, together, apart
//   late           seconds behind the picture of the room, or null
//   distance       seconds that this page stays behind by itself
//   starved        how often this network had nothing more to play

import type { Player } from "./player";
import type { Stage } from "./stage";
import type { Link } from "./chat";

declare global {
  interface Window {
    barrage?: object;
  }
}

export function expose(stage: Stage, talk: { readonly link: Link }): void {
  const player: Player = stage.player;
  const view = {
    get currentState() { return stage.screen; },
    get chatState() { return talk.link; },
    get latency() { return player.measure().latency; },
    get targetLatency() { return player.measure().targetLatency; },
    get lowLatency() { return player.stats.lowLatency; },
    get partsLoaded() { return player.stats.partsLoaded; },
    get fatalErrors() { return player.stats.fatalErrors; },
    get errors() { return [...player.stats.errors]; },
    get reloads() { return player.stats.reloads; },
    get playhead() { return player.playhead(); },
    get union() { return stage.steering.union; },
    get late() { return stage.steering.late; },
    get distance() { return stage.steering.distance; },
    get starved() { return stage.steering.starved; },
    get bulletsShown() { return stage.bullets.wall.shown; },
  };
  Object.defineProperty(window, "barrage", { value: Object.freeze(view) });
}
