#!/bin/bash
# A party until Ctrl-C: the server, a test card, 200 chatters.
set -eu
cd "$(dirname "$0")/../.."
state=${STATE:-var}
addrs=$state/demo.addrs

pids=()
stop() {
  trap - EXIT INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || continue
    wait "${pids[i]}" 2>/dev/null || true
  done
  rm -f "$addrs"
}
trap stop EXIT
trap 'exit 0' INT TERM

mkdir -p "$state"
rm -f "$addrs"
# All chatters come from one address.
BARRAGE_CHAT_MAX_CONNS_PER_ADDR=2000 setsid bin/barrage serve -banner -state-dir "$state" -addrs "$addrs" &
pids+=($!)
# The server writes this file once it listens.
until [[ -s $addrs ]]; do
  kill -0 "${pids[0]}" 2>/dev/null || exit 1
  sleep 0.1
done
port() { sed -E "s/.*\"$1\":\"[^\"]*:([0-9]+)\".*/\1/" "$addrs"; }

setsid e2e/load/testcard.sh "rtmp://127.0.0.1:$(port rtmp)/live/$(bin/barrage key live -state-dir "$state")" &
pids+=($!)
setsid bin/chatters -url "http://127.0.0.1:$(port http)" -n "${CHATTERS:-200}" &
pids+=($!)
echo "A test card and ${CHATTERS:-200} chatters are on their way: open the watch link."
wait -n "${pids[@]}" || true
exit 1
