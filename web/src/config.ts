// What the server tells the page, in <meta> tags.

export interface PageConfig {
  room: string;
  siteName: string;
  hlsUrl: string; // "" = the page's own origin
  chatUrl: string;
}

export function readConfig(doc: Document = document): PageConfig {
  const meta = (name: string): string =>
    doc.querySelector<HTMLMetaElement>(`meta[name="barrage:${name}"]`)?.content ?? "";
  return {
    room: meta("room"),
    siteName: meta("site-name") || "barrage",
    hlsUrl: meta("hls-url"),
    chatUrl: meta("chat-url"),
  };
}

/** The address of `path` at `origin`, or at the page's own origin. */
export function addressOf(path: string, origin: string, base: string = location.origin): string {
  return new URL(path, origin || base).href;
}

/** As addressOf, for a WebSocket. */
export function socketAddress(path: string, origin: string, base: string = location.origin): string {
  const url = new URL(path, origin || base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Whether requests to `url` need no permission of another origin. */
export function sameOrigin(url: string, base: string = location.origin): boolean {
  return new URL(url, base).origin === base;
}
