#!/bin/bash
# publishers.sh: N real-time RTMP publishers of KBPS kb/s each for FOR, against ADDR.
# STATE is the server's state directory (empty: it runs with ingest.auth.mode open),
# PID its process, to report what it costs. SILENT=1 publishes and sends nothing.
set -eu
cd "$(dirname "$0")/../.."
kbps=${KBPS:-4200} fps=${FPS:-30} audio=${AUDIO_KBPS:-64}
flv=bin/load-$kbps-$fps.flv
if [[ ! -s $flv ]]; then
  command -v ffmpeg >/dev/null || { echo "the file to send is made with ffmpeg: sudo apt-get install --no-install-recommends ffmpeg" >&2; exit 1; }
  video=$((kbps - audio))
  # Ten seconds with five sync samples; filler keeps the bitrate what was asked for.
  ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i "testsrc2=size=1280x720:rate=$fps" -f lavfi -i sine=sample_rate=48000 -t 10 \
    -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g $((2 * fps)) -keyint_min $((2 * fps)) -sc_threshold 0 \
    -b:v "${video}k" -minrate "${video}k" -maxrate "${video}k" -bufsize "${video}k" -x264-params nal-hrd=cbr:force-cfr=1 \
    -c:a aac -b:a "${audio}k" -flvflags no_duration_filesize -f flv "$flv.tmp"
  mv "$flv.tmp" "$flv"
fi
exec bin/publishers -server "${ADDR:-127.0.0.1:1935}" -state "${STATE-var}" -flv "$flv" -n "${N:-60}" -for "${FOR:-60s}" \
  -chunk "${CHUNK:-4096}" -pid "${PID:-0}" ${SILENT:+-silent}
