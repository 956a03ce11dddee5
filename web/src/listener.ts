// The comments of a room for pages that show them and say nothing.

import { Chat, type Link } from "./chat";
import { socketAddress, type PageConfig } from "./config";
import type { Comment, Local, Policy, ServerFrame, Session, Tick } from "./protocol";

export interface ListenerEvents {
  tick(t: Tick | Local): void;
  history(comments: Comment[]): void;
  policy(p: Policy): void;
  session?(s: Session): void;
  gone(id: string): void;
}

const remembered = 500;

export class Listener {
  link: Link = "connecting";
  private readonly chat: Chat;
  private readonly authors = new Map<string, string>(); // by comment id

  constructor(config: PageConfig, private readonly events: ListenerEvents) {
    let token = ""; // the same guest again after a reconnect; not the one who comments in this browser
    this.chat = new Chat({
      url: socketAddress(`/chat/v1/rooms/${config.room}/ws`, config.chatUrl),
      identity: {
        nick: () => "",
        token: () => token,
        keep: (you) => (token = you.token || token),
        forget: () => (token = ""),
      },
      events: { link: (l) => (this.link = l), frame: (f) => this.receive(f) },
    });
  }

  start(): void {
    this.chat.start();
  }

  /** The server answers again: connect now, if there is no connection. */
  hurry(): void {
    this.chat.hurry();
  }

  private remember(comments: readonly Comment[]): void {
    for (const c of comments) this.authors.set(c.id, c.author);
    for (const id of this.authors.keys()) {
      if (this.authors.size <= remembered) break;
      this.authors.delete(id);
    }
  }

  private receive(f: ServerFrame): void {
    switch (f.op) {
      case "welcome":
        this.events.policy(f.policy);
        this.remember(f.history);
        this.events.history(f.history);
        if (f.session) this.events.session?.(f.session);
        break;
      case "delete":
        for (const [id, author] of this.authors) if (author === f.who || f.ids.includes(id)) this.events.gone(id);
        break;
      case "tick":
      case "local":
        this.remember(f.comments);
        this.events.tick(f);
        break;
      case "policy":
        this.events.policy(f.policy);
        break;
      case "session":
        this.events.session?.(f.session);
        break;
    }
  }
}
