#!/bin/bash
# testcard.sh RTMP_URL: a moving test card with a clock and a tone, until stopped.
set -eu
command -v ffmpeg >/dev/null || { echo "the test card needs ffmpeg: sudo apt-get install --no-install-recommends ffmpeg fonts-dejavu-core" >&2; exit 1; }
# A slow sky at dusk: bullets must be readable on it, and a still picture would hide a stall.
sky="gradients=size=${SIZE:-1280x720}:rate=30:nb_colors=5:seed=7:speed=0.004:c0=0x12092b:c1=0x3b1a6e:c2=0x8e2a7c:c3=0xd9575b:c4=0x1b2a5e"
font="drawtext=font=DejaVu Sans Mono:fontcolor=white"
clock="$font:text='%{localtime\\:%T}':fontsize=h/5:alpha=0.9:x=(w-tw)/2:y=(h-th)/2"
frames="$font:text='frame %{n}   %{pts\\:hms}':fontsize=h/28:alpha=0.6:x=(w-tw)/2:y=h*0.66"
sweep="drawbox=x='mod(t*0.25,1)*iw':y=ih-10:w=iw/12:h=6:color=white@0.7:t=fill"
exec ffmpeg -hide_banner -nostdin -loglevel error -re \
  -f lavfi -i "$sky" \
  -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=48000" \
  -vf "$clock,$frames,$sweep" -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 60 -b:v 2500k -maxrate 2500k -bufsize 2500k \
  -af volume=0.2 -c:a aac -b:a 128k -ac 2 -f flv "$1"
