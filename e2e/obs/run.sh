#!/bin/bash
# run.sh SERVER KEY SECONDS KEYINT: a real OBS without a screen streams for a while.
# KEYINT is in frames at 30 fps; 250 is what x264 does when nobody sets it.
# The log of OBS goes to $OBS_LOG (default: a file it names), its process id to
# $OBS_PID when that names a file. SIGTERM stops everything early.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
server=$1 key=$2 seconds=$3 keyint=$4
for tool in obs xvfb-run; do
  command -v $tool >/dev/null || { echo "this needs OBS: sudo apt-get install --no-install-recommends obs-studio obs-plugins xvfb xauth libgl1-mesa-dri fonts-dejavu-core" >&2; exit 1; }
done

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
log=${OBS_LOG:-$(mktemp --suffix=.obs.log)}
basic=$home/.config/obs-studio/basic
mkdir -p "$basic/profiles/live" "$basic/scenes" "$home/run"
chmod 700 "$home/run"

# FirstRun and LastVersion keep the wizards away; nobody is there to answer them.
cat >"$basic/../global.ini" <<INI
[General]
FirstRun=true
LastVersion=999999999
EnableAutoUpdates=false
ConfirmOnExit=false
[Basic]
Profile=live
ProfileDir=live
SceneCollection=live
SceneCollectionFile=live
ConfigOnNewProfile=false
[BasicWindow]
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false
SysTrayEnabled=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=false
INI
cat >"$basic/profiles/live/basic.ini" <<INI
[General]
Name=live
[Output]
Mode=Simple
Reconnect=true
RetryDelay=2
[SimpleOutput]
StreamEncoder=x264
VBitrate=1500
ABitrate=128
UseAdvanced=true
Preset=ultrafast
x264Settings=keyint=$keyint bframes=2
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSCommon=30
[Audio]
SampleRate=48000
ChannelSetup=Stereo
INI
# printf, not a heredoc: the key must not pass through another expansion.
printf '{"type":"rtmp_custom","settings":{"server":"%s","key":"%s","use_auth":false}}\n' "$server" "$key" >"$basic/profiles/live/service.json"
cp "$here/scene.json" "$basic/scenes/live.json"

export HOME=$home XDG_CONFIG_HOME=$home/.config XDG_RUNTIME_DIR=$home/run
export QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 GALLIUM_DRIVER=llvmpipe LP_NUM_THREADS=1
echo "OBS streams to $server for $seconds s, a sync sample every $keyint frames; its log: $log"
# OBS may crash when its screen goes away, so its exit code says nothing; its log does.
# The inner shell names its own process id and becomes OBS.
# In the background, because a shell that waits for a foreground command hears no signal.
# shellcheck disable=SC2016
timeout -s INT -k 5 "$seconds" xvfb-run -a -s "-screen 0 1024x640x24 +extension GLX" \
  sh -c 'echo $$ >"$0"; exec nice "$@"' "${OBS_PID:-/dev/null}" \
  obs --multi --startstreaming --profile live --collection live --disable-missing-files-check --disable-updater --verbose \
  >"$log" 2>&1 &
screen=$!
trap 'kill -TERM $screen 2>/dev/null' TERM INT
# A signal ends wait, not what is waited for.
while kill -0 $screen 2>/dev/null; do wait $screen || true; done
if ! grep -q "Streaming Start" "$log"; then
  echo "OBS never went live; the end of its log:" >&2
  tail -20 "$log" >&2
  exit 1
fi
