#!/bin/bash
# flv.sh KBPS FPS: makes bin/load-KBPS-FPS.flv, 16 s to send again and again, when it is missing.
set -eu
cd "$(dirname "$0")/../.."
kbps=$1 fps=$2 audio=${AUDIO_KBPS:-64}
flv=bin/load-$kbps-$fps.flv
[[ ! -s $flv ]] || exit 0
command -v ffmpeg >/dev/null || { echo "the file to send is made with ffmpeg: sudo apt-get install --no-install-recommends ffmpeg" >&2; exit 1; }
video=$((kbps - audio))
# 16 s are 750 units of sound, so that none is too much when it begins again; filler keeps the bitrate what was asked for.
ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i "testsrc2=size=1280x720:rate=$fps" -f lavfi -i sine=sample_rate=48000 -t 16 -frames:a 750 \
  -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g $((2 * fps)) -keyint_min $((2 * fps)) -sc_threshold 0 \
  -b:v "${video}k" -minrate "${video}k" -maxrate "${video}k" -bufsize "${video}k" -x264-params nal-hrd=cbr:force-cfr=1 \
  -c:a aac -b:a "${audio}k" -flvflags no_duration_filesize -f flv "$flv.tmp"
mv "$flv.tmp" "$flv"
