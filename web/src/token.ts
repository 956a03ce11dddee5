// The secret of a studio link: from the fragment, which no server ever sees,
// to the session of this tab, and out of the address bar.

import type { Box } from "./storage";

export function takeToken(room: string, box: Box, where: Location = location, past: History = history): string {
  const key = `token:${room}`;
  const given = new URLSearchParams(where.hash.slice(1)).get("token");
  if (given) {
    box.set(key, given);
    past.replaceState(null, "", where.pathname + where.search);
  }
  return box.get(key) ?? "";
}
