// What the server's warning codes mean for somebody in front of OBS. Pure.

import type { Ingest } from "./api";
import { isKey, type Key, type Vars } from "./i18n";
import { short } from "./format";

export interface Advice {
  code: string;
  key: Key;
  vars: Vars;
}

export function advise(ingest: Ingest): Advice[] {
  return ingest.warnings.map((code) => {
    const key = `warn.${code}`;
    if (!isKey(key)) return { code, key: "warn.other", vars: { code } };
    return { code, key, vars: { n: short(ingest.video?.gopSeconds ?? 0, 1) } };
  });
}
