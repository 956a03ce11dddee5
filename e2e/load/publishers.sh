#!/bin/bash
# publishers.sh: N real-time RTMP publishers of KBPS kb/s each for FOR, against ADDR.
# STATE is the server's state directory (empty: it runs with ingest.auth.mode open),
# PID its process, to report what it costs. SILENT=1 publishes and sends nothing.
set -eu
cd "$(dirname "$0")/../.."
kbps=${KBPS:-4200} fps=${FPS:-30}
e2e/load/flv.sh "$kbps" "$fps"
exec bin/publishers -server "${ADDR:-127.0.0.1:1935}" -state "${STATE-var}" -flv "bin/load-$kbps-$fps.flv" -n "${N:-60}" -for "${FOR:-60s}" \
  -chunk "${CHUNK:-4096}" -pid "${PID:-0}" ${SILENT:+-silent}
