// What the server's warning codes mean for somebody in front of OBS. Pure.

import type { Ingest, Severity, Warning } from "./api";
import { isKey, type Key, type Vars } from "./i18n";
import { bitrate, short } from "./format";

export interface Advice {
  code: string;
  severity: Severity;
  key: Key;
  vars: Vars;
}

const order: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

/** The worst first; the server's order otherwise. */
export function advise(ingest: Ingest): Advice[] {
  return ingest.warnings.map(explain).sort((a, b) => order[a.severity] - order[b.severity]);
}

function explain({ code, severity, value }: Warning): Advice {
  const key = `warn.${code}`;
  if (!isKey(key)) return { code, severity, key: "warn.other", vars: { code } };
  return { code, severity, key, vars: { n: amount(code, value) } };
}

/** The number in the sentence, in the unit that people think in. */
function amount(code: string, value: number): string {
  if (code.startsWith("BITRATE_")) return bitrate(value);
  const milliseconds = code === "AV_DRIFT" || code === "SENDER_BEHIND";
  return short(Math.abs(milliseconds ? value / 1000 : value), 1);
}
