// The bullets of one stage: comments in, flights out. It knows no browser:
// time, the playhead and the screen are given to it.
//
// A comment goes into the plan (media time) and flies when the playhead gets
// there. What comes too late for its place in the plan, up to `lateLimit`,
// flies at once, where it is in nobody's way; so does the reader's own.

import { Air, type Cargo, type Flight, type Place } from "./air";
import { geometry, type Geometry } from "./geometry";
import { Plan, type Entry } from "./plan";
import { defaults, type Settings } from "./settings";
import type { Sky } from "./sky";
import { Timeline, type Reading } from "./timeline";
import { fitter, type Measure } from "./widths";
import type { Combo, Comment, Mode } from "../protocol";

export const lateLimit = 15_000; // ms: later than this a bullet is only in the list
const grace = 300; // ms: a little late is not late; it enters where it should be by now
const badgeRoom = 3.2; // em behind every text, for the number of a combo
const padding = 0.5; // em around every text
const pill = 1; // em more for who wears one
// Whoever is due this soon is put outside of the edge, to be moved in by the
// browser to the frame: a page that changes 30 times a second has time left.
const early = 60; // ms
const shortestNap = 33; // ms between two looks at the playhead
const longestNap = 250;
const comboNap = 100; // numbers on the screen grow more often than bullets start
const countsAtOnce = 3;

/** The page's own names of the reader's comments, by id. */
export type Own = ReadonlyMap<string, string>;

/** What a tick brings. */
export interface News {
  t: number; // server's time
  comments: readonly Comment[];
  combos: readonly Combo[];
  own: Own;
}

export interface WallOptions {
  sky: Sky;
  measure: Measure;
  now: () => number;
  reading: () => Reading;
  blocks?: (c: Comment) => boolean;
}

export class Wall {
  delay = 400; // ms
  shown = 0; // bullets drawn so far
  private settings: Settings = defaults;
  private size = { width: 0, height: 0 };
  private geometry: Geometry = geometry(0, 0, defaults);
  private readonly plan = new Plan(this.geometry);
  private readonly air: Air;
  private readonly timeline: Timeline;
  private readonly fit: ReturnType<typeof fitter>;
  private passed: number | null = null; // media time up to which bullets have been started
  private drawing = true;
  private readonly gone = new Set<string>();

  constructor(private readonly options: WallOptions) {
    this.air = new Air(this.geometry, options.sky);
    this.timeline = new Timeline(options.now());
    this.fit = fitter(options.measure);
  }

  get flying(): readonly Flight[] {
    return this.air.all;
  }

  /** Comments and counts as they come. */
  tell(news: News): void {
    this.look();
    for (const c of news.comments) this.hear(c, news);
    for (const k of news.combos) this.grow(k, news.t);
  }

  /** Comments of the past: they fly where the playhead is or comes, and nowhere else. `totals` are those of the end. */
  recall(comments: readonly Comment[], own: Own = new Map(), totals: readonly Combo[] = []): void {
    this.look();
    let here = false;
    for (const c of comments) {
      if (this.gone.has(c.id)) continue;
      const e = this.entry(c, null);
      if (!this.plan.add(e) || this.claim(e, own.get(c.id))) continue;
      here ||= this.passed !== null && e.at <= this.passed && this.passed - e.at < this.geometry.longest;
    }
    for (const k of totals) {
      const e = this.plan.find(k.id);
      if (!e || e.told !== null) continue; // who heard it live knows how it grew
      e.growth.push({ at: e.at, total: k.total });
      this.air.grown(k.id);
    }
    if (here) this.refly();
  }

  /** The reader's own comment: at once, whatever the time is. */
  own(key: string, c: Comment): void {
    this.look();
    if (!this.ready()) return;
    const { text, width } = this.fitted(c);
    const media = this.media();
    const wish = media === null ? -1 : this.plan.probe(c.mode, media + this.delay, width);
    // Where the picture stands, so do bullets: this one inside the edge, to be read.
    const age = this.timeline.rate > 0 || c.mode !== "scroll" ? 0 : this.geometry.pace.entry(width);
    const at = this.stage() - age;
    const place = this.place(c.mode, { at, width, wish }) ?? this.air.makeRoom(c.mode, at, width);
    if (place) this.launch({ key, comment: c, text, width, entry: null, own: true }, place);
  }

  /** Takes a comment off the wall: refused, or deleted. */
  remove(key: string): void {
    this.gone.add(key); // a cache may still have it
    this.plan.remove(key);
    this.air.remove(key);
  }

  configure(s: Settings): void {
    this.settings = s;
    this.reshape();
  }

  resize(width: number, height: number): void {
    if (width === this.size.width && height === this.size.height) return;
    this.size = { width, height };
    this.reshape();
  }

  /** Nothing is drawn where nobody looks; who looks again sees the moment as it is. */
  show(drawing: boolean): void {
    if (drawing === this.drawing) return;
    this.drawing = drawing;
    this.look();
    this.refly();
  }

  /** Starts what is due, ends what is over; returns in how many ms to look again. */
  step(): number {
    this.look();
    const [stage, media] = [this.stage(), this.media()];
    this.air.sweep(stage);
    if (media === null) this.air.count(Infinity, countsAtOnce); // no moment to wait for, neither for the numbers
    if (media === null || this.passed === null) return this.nap(stage, Infinity);
    const soon = media + early * this.timeline.rate;
    for (const e of this.plan.between(this.passed, soon)) this.enter(e, stage - (media - e.at));
    this.passed = Math.max(this.passed, soon);
    this.air.count(media, countsAtOnce);
    this.plan.trim(media);
    return Math.min(this.nap(stage, (this.plan.next(this.passed) ?? Infinity) - soon), this.air.counting ? comboNap : longestNap);
  }

  /** Reads the playhead and follows it. */
  private look(): void {
    const { timeline, options } = this;
    const had = this.media() !== null;
    const verdict = timeline.read(options.reading(), options.now());
    options.sky.pace(this.stage(), timeline.rate);
    if (verdict === "jump") {
      if (had) {
        this.plan.renew();
        this.air.clear();
      }
      this.passed = this.media();
      this.refly();
    } else if (verdict === "lost") this.flush();
  }

  private hear(c: Comment, news: News): void {
    const e = this.entry(c, news.t);
    if (!this.plan.add(e) || this.claim(e, news.own.get(c.id))) return;
    const media = this.media();
    if (media === null || this.passed === null) {
      e.spent = true;
      this.stray(e);
      return;
    }
    if (e.at > this.passed || this.timeline.rate === 0) return; // its time comes, or has gone while the picture stood
    const late = media - e.at;
    if (late <= grace) this.enter(e, this.stage() - late);
    else if (late <= lateLimit) this.stray(e);
  }

  /** Whether `e` is the reader's own comment, which has flown already. */
  private claim(e: Entry, key: string | undefined): boolean {
    return key !== undefined && this.air.rename(key, e);
  }

  /** A combo grows in media time, as it did for those who saw its bullet live. */
  private grow(k: Combo, t: number): void {
    const e = this.plan.find(k.id);
    if (!e) return;
    const at = e.told === null ? Math.max(e.at, this.media() ?? e.at) : e.at + (t - e.told);
    e.growth.push({ at, total: k.total });
    this.air.grown(k.id);
  }

  /** A bullet at its place in the plan, or beside it when somebody is there who is not in the plan. */
  private enter(e: Entry, at: number): void {
    if (e.lane < 0 || e.spent || !this.ready() || this.air.has(e.comment.id)) return;
    if (this.air.fits(e.comment.mode, { lane: e.lane, at, width: e.width })) this.launch(flightOf(e), { lane: e.lane, at, planned: true });
    else this.stray(e);
  }

  /** A bullet out of its time. */
  private stray(e: Entry): void {
    if (!this.ready()) return;
    const place = this.place(e.comment.mode, { at: this.stage(), width: e.width, wish: e.lane }, e);
    if (place) this.launch(flightOf(e), place);
  }

  /** A lane for a bullet out of its time: the wished one, else from below, where the plan comes last. */
  private place(mode: Mode, b: { at: number; width: number; wish: number }, self?: Entry): Place | null {
    const media = this.media();
    const moment = media === null ? null : media - (this.stage() - b.at);
    const free = (lane: number): boolean =>
      this.air.fits(mode, { ...b, lane }) &&
      (moment === null || this.plan.leaves(mode, { lane, at: moment, width: b.width }, self));
    const count = this.geometry.lanes[mode];
    const below = moment !== null && mode === "scroll";
    if (free(b.wish)) return { lane: b.wish, at: b.at, planned: false };
    for (let i = 0; i < count; i++) {
      const lane = below ? count - 1 - i : i;
      if (free(lane)) return { lane, at: b.at, planned: false };
    }
    return null;
  }

  private launch(what: Cargo, p: Place): void {
    if (this.options.blocks?.(what.comment)) return;
    if (this.air.launch(what, { ...p, ends: p.at + this.geometry.pace.span(what.comment.mode, what.width) }, this.stage())) this.shown++;
  }

  /** Draws the moment as it is: what the plan has in flight, and whoever flew beside it. */
  private refly(): void {
    const before = this.air.all;
    const strays = before.filter((f) => !f.planned);
    this.air.reset(this.geometry);
    if (!this.ready()) return;
    const [stage, media] = [this.stage(), this.media()];
    const beside = new Set(strays.map((f) => f.key));
    if (media !== null) {
      for (const e of this.plan.between(media - this.geometry.longest, media)) {
        if (!beside.has(e.comment.id)) this.enter(e, stage - (media - e.at));
      }
    }
    for (const f of strays) {
      const { text, width } = this.fitted(f.comment);
      const place = this.place(f.comment.mode, { at: f.at, width, wish: f.lane }, f.entry ?? undefined);
      if (place) this.launch({ ...f, text, width }, place);
    }
    this.shown -= before.filter((f) => this.air.has(f.key)).length; // they have been counted
    if (media !== null) this.air.count(media);
  }

  /** The picture is gone: there is no moment left to wait for. */
  private flush(): void {
    for (const e of this.plan.between(this.passed ?? Infinity, Infinity)) {
      if (e.spent || this.air.has(e.comment.id)) continue;
      e.spent = true;
      this.stray(e);
    }
    this.passed = null;
  }

  private reshape(): void {
    this.geometry = geometry(this.size.width, this.size.height, this.settings);
    this.look();
    this.options.sky.shape(this.geometry);
    this.plan.relay(this.geometry);
    this.refly();
  }

  private ready(): boolean {
    return this.drawing && this.settings.on && this.size.width > 0 && this.size.height > 0;
  }

  private entry(c: Comment, told: number | null): Entry {
    return { comment: c, ...this.fitted(c), at: c.pdt + this.delay, told, lane: -1, growth: [], spent: false };
  }

  private fitted(c: Comment): { text: string; width: number } {
    const { text, width } = this.fit(c.text);
    return { text, width: width + badgeRoom + padding + (c.role === "host" ? pill : 0) };
  }

  private nap(stage: number, due: number): number {
    const { rate, starting } = this.timeline;
    if (starting) return shortestNap;
    const wait = rate === 0 ? Infinity : Math.min(due, this.air.firstEnd - stage) / rate;
    return Math.min(Math.max(wait, shortestNap), longestNap);
  }

  private stage(): number {
    return this.timeline.stage(this.options.now());
  }

  private media(): number | null {
    return this.timeline.media(this.options.now());
  }
}

const flightOf = (e: Entry): Cargo => ({ key: e.comment.id, comment: e.comment, text: e.text, width: e.width, entry: e, own: false });
