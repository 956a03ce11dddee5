#!/bin/bash
# crowd.sh: NODES chat nodes (and Redis, unless BROKER=memory), and WATCH + STALL + WRITE people in one of
# their rooms, for FOR. RATE, BATCH, BURST=1, TEXT, LATENCY, RAMP and RECONNECT=crowd|server are what the crowd
# does; BARRAGE_CHAT_… reaches the nodes. With URL no server is started, and PID, REDIS and LOG are as given.
# With PICTURE a test card is published and a browser looks at the room: it saves the picture with the most
# bullets there. Logs and the report are below $STATE/crowd.
set -eu
cd "$(dirname "$0")/../.."
nodes=${NODES:-1} broker=${BROKER:-redis} state=$(realpath -m "${STATE:-var}")/crowd
url=${URL:-} pid=${PID:-} redis=${REDIS:-} log=${LOG:-}

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
trap 'exit 130' INT TERM

if [[ -z $url ]]; then
  rm -rf "$state"
  mkdir -p "$state/redis"
  role=serve
  export BARRAGE_ADMIN_ADDR=127.0.0.1:0 BARRAGE_INGEST_RTMP_ADDR=127.0.0.1:0 BARRAGE_CHAT_ALLOWED_ORIGINS=*
  if [[ $broker == redis ]]; then
    command -v redis-server >/dev/null || { echo "crowd needs Redis, or BROKER=memory: sudo apt-get install --no-install-recommends redis-server" >&2; exit 1; }
    role=chat redis=127.0.0.1:${REDIS_PORT:-6391}
    setsid redis-server deploy/redis.conf --port "${redis#*:}" --bind 127.0.0.1 --dir "$state/redis" >"$state/redis.log" 2>&1 &
    pids+=($!)
    until (exec 3<>"/dev/tcp/127.0.0.1/${redis#*:}") 2>/dev/null; do
      kill -0 "${pids[0]}" 2>/dev/null || { tail -n 5 "$state/redis.log" >&2; exit 1; }
      sleep 0.1
    done
    export BARRAGE_CHAT_BROKER=redis BARRAGE_CHAT_REDIS_URL=redis://$redis/0
  elif ((nodes != 1)); then
    echo "BROKER=memory is one process: NODES=$nodes needs Redis" >&2
    exit 1
  fi
fi

# launch N ROLE [ADDR]: starts server N, and waits for the file that it writes once it listens.
launch() {
  rm -f "$state/addrs-$1"
  # All nodes have one state directory: they check each other's tokens.
  BARRAGE_HTTP_ADDR=${3:-127.0.0.1:0} setsid bin/barrage "$2" -state-dir "$state/state" -addrs "$state/addrs-$1" >>"$state/node-$1.log" 2>&1 &
  node=$!
  until [[ -s $state/addrs-$1 ]]; do
    kill -0 "$node" 2>/dev/null || { tail -n 5 "$state/node-$1.log" >&2; exit 1; }
    sleep 0.1
  done
  addr=$(sed -E 's/.*"http":"([^"]*)".*/\1/' "$state/addrs-$1")
}

node_pids=() addrs=()
if [[ -z $url ]]; then
  for ((n = 1; n <= nodes; n++)); do
    launch "$n" "$role"
    pids+=("$node") node_pids+=("$node") addrs+=("$addr")
    url+=${url:+,}http://$addr pid+=${pid:+,}$node
  done
fi

browser=
if [[ -n ${PICTURE:-} ]]; then
  picture=$(realpath -m "$PICTURE")
  media=1
  if [[ $role == chat ]]; then
    media=media
    export BARRAGE_WEB_CHAT_URL=http://${addrs[0]}
    launch media media
    pids+=("$node")
  fi
  rtmp=$(sed -E 's/.*"rtmp":"([^"]*)".*/\1/' "$state/addrs-$media")
  setsid e2e/load/testcard.sh "rtmp://$rtmp/live/$(bin/barrage key "${ROOM:-live}" -state-dir "$state/state")" >"$state/testcard.log" 2>&1 &
  pids+=($!)
  until curl -fsS -o /dev/null "http://$addr/hls/${ROOM:-live}/index.m3u8" 2>/dev/null; do sleep 0.3; done
  setsid node e2e/load/balse.mjs "http://$addr/r/${ROOM:-live}" "$state/go" "$picture" &
  browser=$!
  pids+=("$browser")
fi

mkdir -p "$state"
: >"$state/crowd.log"
bin/crowd -url "$url" -room "${ROOM:-live}" -watch "${WATCH:-2000}" -stall "${STALL:-0}" -write "${WRITE:-50}" -rate "${RATE:-50}" -batch "${BATCH:-1}" \
  ${BURST:+-burst} -text "${TEXT:-many}" -latency "${LATENCY:-}" -for "${FOR:-30s}" -ramp "${RAMP:-10s}" -pid "$pid" -log "$log" -redis "$redis" \
  -reconnect "${RECONNECT:-}" >"$state/report.json" 2> >(tee "$state/crowd.log" >&2) &
crowd=$!
until grep -qx go "$state/crowd.log"; do
  kill -0 "$crowd" 2>/dev/null || break
  sleep 0.05
done
[[ -z $browser ]] || : >"$state/go"
if [[ ${RECONNECT:-} == server ]]; then
  for ((n = 1; n <= ${#node_pids[@]}; n++)); do
    kill -TERM "${node_pids[n - 1]}"
    wait "${node_pids[n - 1]}" || true
    launch "$n" "$role" "${addrs[n - 1]}"
    pids+=("$node")
  done
fi
result=0
[[ -z $browser ]] || wait "$browser" || result=$?
wait "$crowd" || result=$?
exit "$result"
