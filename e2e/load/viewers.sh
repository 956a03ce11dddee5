#!/bin/bash
# viewers.sh: N virtual players of URL for FOR. MODE is ll, plain, blocked or latency, HTTP 1.1 or 2.
# PID is the server's process or a file with it, to report what it costs: it is bound to the first
# core, and the players to the others. Mode latency publishes too, to RTMP, with KEY.
set -eu
cd "$(dirname "$0")/../.."
mode=${MODE:-ll} kbps=${KBPS:-4650} fps=${FPS:-30}
bind=()
if [[ -n ${PID:-} ]] && (($(nproc) > 1)); then
  pid=$PID
  [[ -f $PID ]] && pid=$(<"$PID")
  taskset -acp 0 "$pid" >/dev/null
  bind=(taskset -c "1-$(($(nproc) - 1))")
fi
flv=()
if [[ $mode == latency ]]; then
  e2e/load/flv.sh "$kbps" "$fps"
  flv=(-flv "bin/load-$kbps-$fps.flv" -rtmp "${RTMP:-127.0.0.1:1935}" -key "${KEY:-load-0000}")
fi
exec "${bind[@]}" bin/viewers -url "${URL:-http://127.0.0.1:8080/hls/load-0000/index.m3u8}" -mode "$mode" -http "${HTTP:-1.1}" \
  -n "${N:-100}" -ramp "${RAMP:-10s}" -for "${FOR:-30s}" -pid "${PID:-}" "${flv[@]}" ${SKIP:+-skip}
