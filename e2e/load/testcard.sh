#!/bin/bash
# testcard.sh RTMP_URL: a moving test card with a clock and a tone, until stopped.
set -eu
command -v ffmpeg >/dev/null || { echo "the test card needs ffmpeg: sudo apt-get install --no-install-recommends ffmpeg fonts-dejavu-core" >&2; exit 1; }
clock="drawtext=font=DejaVu Sans Mono:text='%{localtime\\:%T}':fontsize=h/6:fontcolor=white:box=1:boxcolor=black@0.5:boxborderw=18:x=(w-tw)/2:y=(h-th)/2"
exec ffmpeg -hide_banner -nostdin -loglevel error -re \
  -f lavfi -i "testsrc2=size=${SIZE:-1280x720}:rate=30" \
  -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=48000" \
  -vf "$clock" -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60 -b:v 2500k -maxrate 2500k -bufsize 2500k \
  -af volume=0.2 -c:a aac -b:a 128k -ac 2 -f flv "$1"
