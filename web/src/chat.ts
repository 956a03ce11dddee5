// One room's chat connection: it comes back by itself, resumes where it was,
// and sends again what nobody has acknowledged.

import { Backoff } from "./backoff";
import {
  encodeHello,
  encodeLike,
  encodeNick,
  encodeOrder,
  encodeSend,
  parseFrame,
  type Ack,
  type Order,
  type Outgoing,
  type Place,
  type ServerFrame,
  type Welcome,
  type You,
} from "./protocol";

export type Link = "connecting" | "open" | "reconnecting" | "refused";

export interface Identity {
  nick(): string;
  token(): string;
  keep(you: You): void;
  forget(): void; // the token is no longer good
}

export interface ChatEvents {
  link(link: Link): void;
  frame(frame: ServerFrame): void;
}

export interface ChatOptions {
  url: string;
  identity: Identity;
  events: ChatEvents;
  connect?: (url: string) => WebSocket;
  random?: () => number;
}

const protocol = "barrage.v1";
const silence = 25_000; // a heartbeat tick comes every 10 s; this much silence means a dead link
const stepMs = 1000;

const longest = 12 * 3600_000; // a page that is told to stay away for longer does not wait for it
const tokenRefused = 4003;

export class Chat {
  private socket: WebSocket | null = null;
  private place: Place | null = null;
  private readonly unacked = new Map<string, Outgoing>();
  private readonly backoff: Backoff;
  private welcomed = false;
  private everOpen = false;
  private retryMs = 0; // what the last bye asked for; < 0 = stay away
  private timer = 0;
  private watchdog = 0;
  private likes = 0;
  private likeTimer = 0;
  private stopped = false;

  constructor(private readonly options: ChatOptions) {
    this.backoff = new Backoff({ first: 1000, max: 30_000 }, options.random);
  }

  start(): void {
    window.addEventListener("online", this.hurry);
    this.open();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.hurry);
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    clearTimeout(this.likeTimer);
    this.socket?.close();
  }

  /** Sends `comment` now or at the next connection, once. */
  send(comment: Outgoing): void {
    this.unacked.set(comment.cid, comment);
    if (this.welcomed) this.socket?.send(encodeSend(comment));
  }

  rename(nick: string): void {
    if (this.welcomed) this.socket?.send(encodeNick(nick));
  }

  /** Whether it could be sent: an order is for now. */
  order(cid: string, o: Order): boolean {
    if (this.welcomed) this.socket?.send(encodeOrder(cid, o));
    return this.welcomed;
  }

  /** Likes are cheap to give, so they are counted and sent once a second. */
  like(): void {
    this.likes = Math.min(this.likes + 1, 50);
    if (this.likeTimer) return;
    this.likeTimer = window.setTimeout(() => {
      this.likeTimer = 0;
      if (this.welcomed) this.socket?.send(encodeLike(this.likes));
      this.likes = 0;
    }, stepMs);
  }

  private open(): void {
    clearTimeout(this.timer);
    this.options.events.link(this.everOpen ? "reconnecting" : "connecting");
    const connect = this.options.connect ?? ((url: string) => new WebSocket(url, protocol));
    const socket = connect(this.options.url);
    this.socket = socket;
    this.retryMs = 0;
    this.watch(socket); // a handshake that nobody answers is silence, too
    socket.onopen = () => {
      const { identity } = this.options;
      socket.send(encodeHello(identity.nick(), identity.token(), this.place));
    };
    socket.onmessage = (e: MessageEvent) => {
      this.watch(socket);
      const frame = typeof e.data === "string" ? parseFrame(e.data) : null;
      if (frame) this.receive(frame);
    };
    socket.onclose = () => this.closed(socket);
  }

  private watch(socket: WebSocket): void {
    clearTimeout(this.watchdog);
    this.watchdog = window.setTimeout(() => {
      socket.close();
      this.closed(socket); // a dead network may never report the close
    }, silence);
  }

  private receive(frame: ServerFrame): void {
    switch (frame.op) {
      case "welcome":
        this.welcome(frame);
        return;
      case "tick":
        if (this.place) this.place.seq = Math.max(this.place.seq, frame.seq);
        break;
      case "acks":
        frame.acks.forEach((a) => this.settle(a));
        break;
      case "reset":
        this.place = { epoch: frame.epoch, seq: frame.seq };
        break;
      case "you":
        this.options.identity.keep(frame.you);
        break;
      case "bye":
        this.retryMs = frame.retryMs;
        if (frame.code === tokenRefused) this.options.identity.forget();
        break;
    }
    this.options.events.frame(frame);
  }

  private welcome(frame: Welcome): void {
    this.place = { epoch: frame.epoch, seq: frame.seq };
    this.welcomed = true;
    this.everOpen = true;
    this.backoff.reset();
    this.options.identity.keep(frame.you);
    this.options.events.link("open");
    this.options.events.frame(frame);
    for (const comment of this.unacked.values()) this.socket?.send(encodeSend(comment));
  }

  private settle(ack: Ack): void {
    this.unacked.delete(ack.cid);
  }

  private closed(socket: WebSocket): void {
    if (socket !== this.socket || this.stopped) return;
    clearTimeout(this.watchdog);
    this.socket = null;
    this.welcomed = false;
    if (this.retryMs < 0 || this.retryMs > longest) {
      this.options.events.link("refused");
      return;
    }
    this.options.events.link(this.everOpen ? "reconnecting" : "connecting");
    this.timer = window.setTimeout(() => this.open(), this.backoff.next(this.retryMs));
  }

  /** The network or the server came back: no reason to sit out the wait. */
  readonly hurry = (): void => {
    if (!this.socket && !this.stopped && this.retryMs >= 0) this.open();
  };
}
