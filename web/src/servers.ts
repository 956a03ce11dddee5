// Which of the addresses of a machine an anchor should use. Pure.

/** `servers` with those first that name `host`: what reaches the page reaches the ingest, too. */
export function nearest(servers: string[], host: string): string[] {
  const names = (server: string): boolean => hostOf(server) === host;
  return [...servers.filter(names), ...servers.filter((s) => !names(s))];
}

/** Browsers disagree on how URL reads schemes they do not know, so http stands in for rtmp. */
function hostOf(server: string): string {
  try {
    return new URL(server.replace(/^rtmps?:/, "http:")).hostname;
  } catch {
    return "";
  }
}
