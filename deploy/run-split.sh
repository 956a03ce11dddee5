#!/bin/bash
# The production shape on one machine, until Ctrl-C: Redis with the shipped
# redis.conf, barrage media, two barrage chat. State below $STATE/split.
set -eu
cd "$(dirname "$0")/.."
command -v redis-server >/dev/null || { echo "run-split needs Redis: sudo apt-get install --no-install-recommends redis-server" >&2; exit 1; }

state=${STATE:-var}/split
redis_port=${REDIS_PORT:-6390}
http=${HTTP_PORT:-8080}
mkdir -p "$state/redis"

# Last started, first stopped: everybody says goodbye before Redis goes.
pids=()
stop() {
  trap - EXIT INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || continue
    wait "${pids[i]}" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'exit 0' INT TERM

# setsid: Ctrl-C in the terminal reaches this script alone, which then stops all in order.
start() { # LOG COMMAND...
  local log=$state/$1.log; shift
  setsid "$@" >"$log" 2>&1 &
  pids+=($!)
}

export BARRAGE_CHAT_REDIS_URL=redis://127.0.0.1:$redis_port/0
export BARRAGE_CHAT_ALLOWED_ORIGINS=http://localhost:$http,http://127.0.0.1:$http
start redis redis-server deploy/redis.conf --port "$redis_port" --bind 127.0.0.1 --dir "$state/redis"
# The others would warn of a Redis that is not there yet.
until (exec 3<>"/dev/tcp/127.0.0.1/$redis_port") 2>/dev/null; do
  kill -0 "${pids[0]}" 2>/dev/null || { tail -n 5 "$state/redis.log" >&2; exit 1; }
  sleep 0.1
done
for n in 1 2; do
  BARRAGE_HTTP_ADDR=:$((http + n)) BARRAGE_ADMIN_ADDR=127.0.0.1:$((9600 + n)) start "chat-$n" bin/barrage chat -state-dir "$state"
done
echo "Redis on 127.0.0.1:$redis_port; chat nodes on ports $((http + 1)) and $((http + 2)); logs in $state/*.log"
echo "The page talks to the first node. To hear the second one from the first:"
echo "  go run -tags load ./e2e/load/chatters -url http://localhost:$((http + 2)) -n 20"

BARRAGE_HTTP_ADDR=:$http BARRAGE_WEB_CHAT_URL=http://localhost:$((http + 1)) \
  setsid bin/barrage media -banner -state-dir "$state" &
pids+=($!)

# Until one of them ends or somebody presses Ctrl-C.
status=0
wait -n "${pids[@]}" || status=$?
echo "one of the processes ended (exit $status); its log is in $state" >&2
exit 1
