// What a viewer would notice of a player, in numbers: window.watched.
const video = document.querySelector("video");

const watched = {
  playing: 0, // seconds the picture moved
  stalls: [], // {at, seconds}: the picture stood still and nothing was there to show
  slow: [], // the same although there was: the machine's fault
  jumps: [], // {at, seconds}: the position leapt
  errors: [], // what the player reported, "fatal " first when it was
  frozen: 0, // seconds this whole page did not run: the machine's fault
  waiting: 0,
  stalled: 0,
  loads: 0, // how often the source was loaded
  asked: 0, // ms after the page was asked for: the source was loaded
  firstFrame: 0, // ms after the page was asked for
  ended: false,
  dropped: 0,
  frames: 0,
  size: "",
  latency: null,
  target: null,
  low: false,
};

let latency = () => null;
let last = null; // {time, position} when the picture last moved

/** How long a picture may stand still and still be moving, in seconds: a few frames. */
const patience = 0.25;

/** Seconds of media that wait to be shown at the position. */
function ahead() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}

/** Notes that the picture stood still since the last time it moved. */
function still(into, seconds) {
  (last.starved ? into.stalls : into.slow).push({ at: last.time, seconds });
}

/** Called every 50 ms. */
function look() {
  const time = performance.now() / 1000;
  const position = video.currentTime;
  if (!watched.firstFrame) return;
  if (last === null) last = { time, position, looked: time };
  const since = time - last.looked;
  const late = since - 0.05;
  if (late > 0.5) {
    watched.frozen += late;
    last.time += late;
  }
  last.looked = time;
  const moved = position - last.position;
  if (Math.abs(moved) < 0.001) {
    // Players do not start again below a few frames.
    if (ahead() < 0.1) last.starved = true;
    return;
  }
  const passed = time - last.time;
  last.position = position;
  // A leap is no picture that moves: what stands still before it does so after it.
  if (moved < 0 || moved > since * 1.1 + 0.3) {
    watched.jumps.push({ at: time, seconds: moved });
    return;
  }
  if (passed > patience) still(watched, passed);
  last.starved = false;
  watched.playing += moved;
  last.time = time;
}
setInterval(look, 50);

/** The state now; a stall that goes on counts as long as it has taken. */
function report() {
  const quality = video.getVideoPlaybackQuality();
  const now = performance.now() / 1000;
  const counted = { stalls: [...watched.stalls], slow: [...watched.slow] };
  if (last && !video.ended && now - last.time > patience) still(counted, now - last.time);
  return {
    ...watched,
    ...counted,
    ended: video.ended,
    dropped: quality.droppedVideoFrames,
    frames: quality.totalVideoFrames,
    size: `${video.videoWidth}x${video.videoHeight}`,
    ...latency(),
  };
}

video.addEventListener("waiting", () => watched.waiting++);
video.addEventListener("stalled", () => watched.stalled++);
video.requestVideoFrameCallback((now) => (watched.firstFrame = now));

const engines = {
  "hls.js"(video, source) {
    const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: Number(options.get("rate") ?? 1) });
    hls.on(Hls.Events.ERROR, (_, { fatal, type, details, error }) => {
      watched.errors.push(`${fatal ? "fatal " : ""}${details}${fatal ? ` ${error?.message}` : ""}`);
      if (!fatal) return;
      if (type === Hls.ErrorTypes.NETWORK_ERROR) hls.startLoad();
      else if (type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
    });
    hls.on(Hls.Events.MANIFEST_LOADING, () => watched.loads++);
    hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
    latency = () => ({
      latency: hls.latency, target: hls.targetLatency,
      low: !!hls.latestLevelDetails?.canBlockReload && hls.latestLevelDetails.partList?.length > 0,
    });
    watched.asked = performance.now();
    hls.loadSource(source);
    hls.attachMedia(video);
  },

  async shaka(video, source) {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    // In a playlist of one or two segments it looks for captions in the one that grows, which has no address yet.
    player.configure("manifest.hls.disableClosedCaptionsDetection", true);
    // It forgets segments that are older, by the clock, than the playlist was long when it was loaded; when all are
    // forgotten because nobody publishes, it throws. Those that leave the playlist are forgotten all the same.
    player.configure("manifest.availabilityWindowOverride", 120);
    // With dates it stands still behind a hole in them although the media has none.
    player.configure("manifest.hls.ignoreManifestProgramDateTime", true);
    const name = (code) => Object.entries(shaka.util.Error.Code).find(([, c]) => c === code)?.[0] ?? "exception";
    const failed = ({ code, severity, data, message }) => {
      // An exception of its own has no severity, and ends its loading like a critical error.
      const fatal = severity !== shaka.util.Error.Severity.RECOVERABLE;
      const about = String(data ?? message).replace(/^.*\/hls\/live\/[^/]*/, "").replaceAll(/\s+/g, " ").slice(0, 40);
      watched.errors.push(`${fatal ? "fatal " : ""}${name(code)} ${about}`);
      return fatal;
    };
    player.addEventListener("error", ({ detail }) => failed(detail) && player.retryStreaming());
    const load = () => {
      watched.loads++;
      return player.load(source).then(() => video.play(), failed);
    };
    // A server that was restarted lists none of the segments from before. Shaka guesses by the clock where the new ones
    // belong and never gets there; loading the source again is the way on.
    let newest = {}; // media sequence number by playlist
    player.getNetworkingEngine().registerResponseFilter((type, { originalUri, data }) => {
      const text = type === shaka.net.NetworkingEngine.RequestType.MANIFEST ? new TextDecoder().decode(data) : "";
      const number = (tag) => Number(text.match(new RegExp(`${tag}(\\d+)`))?.[1] ?? 0);
      const first = number("#EXT-X-MEDIA-SEQUENCE:");
      if (!first) return;
      const [playlist] = originalUri.split("?");
      if (first > newest[playlist]) {
        newest = {};
        setTimeout(load);
      } else newest[playlist] = first + number("SKIPPED-SEGMENTS=") + text.split("#EXTINF:").length - 2;
    });
    latency = () => ({
      latency: player.getStats().liveLatency,
      target: player.isLive() ? player.seekRange().end - video.currentTime : null,
      low: player.getConfiguration().streaming.lowLatencyMode,
    });
    watched.asked = performance.now();
    await load();
  },
};
