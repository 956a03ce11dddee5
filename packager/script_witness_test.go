package packager_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"barrage/packager"
)

// witness sees every state of everything that players can see of a room: playlists
// through a strict decoder that is not ours, and the media, decoded by mp4ff.
type witness struct {
	*room
	start   time.Time
	phase   packager.Phase
	changed <-chan struct{}
	events  []string // what happened, with the time
	epochs  []*watchedEpoch
	faults  []string
	holes   bool // a track has stopped: its rendition may have fewer segments
}

type watchedEpoch struct {
	id     string
	index  string
	lanes  []*watchedLane
	scales map[string]float64 // by init section
	inits  map[string]string  // what it says, by its address
}

// watchedLane is one rendition from its first segment to its last.
type watchedLane struct {
	name     string
	window   *packager.Window
	now      list
	segments []*watchedSegment
	hinted   map[int]bool // parts by number
	met      int          // newest segment of the first state: what was hinted before is not known
	unhinted []int        // segments, by number, that no hint announced
}

type watchedSegment struct {
	listed
	fragments []fragment
}

// fragment is a part as it is served.
type fragment struct {
	number     int // in its address; 0 = its segment was complete when it was first listed
	dur        float64
	start, end float64 // seconds of decoding time
	sync       bool
	samples    []servedSample
}

// rounded gives a fragment the duration that a playlist would say.
func (f fragment) rounded() fragment {
	f.dur = math.Round(f.end*1000)/1000 - math.Round(f.start*1000)/1000
	return f
}

type servedSample struct {
	number uint32
	shown  float64 // seconds
	said   float64
}

func newWitness(r *room) *witness {
	return &witness{room: r, start: time.Now(), phase: packager.PhaseOffline, changed: r.reg.Changed()}
}

func (w *witness) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("%.3f ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
}

func (w *witness) event(format string, args ...any) {
	w.events = append(w.events, fmt.Sprintf("%8.3f ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
}

// look looks at everything.
func (w *witness) look() {
	if w.stream == nil {
		return
	}
	select {
	case <-w.changed:
		w.changed = w.reg.Changed()
		if now := w.stream.Status().Phase; now != w.phase {
			w.phase = now
			w.event("%s", now)
		}
	default:
	}
	if e, ok := w.stream.Current(); ok && (len(w.epochs) == 0 || w.epochs[len(w.epochs)-1].id != e.ID) {
		w.meet(e)
	}
	for _, e := range w.epochs {
		current, ok := w.stream.Epoch(e.id)
		if !ok {
			continue
		}
		for _, l := range e.lanes {
			r, _ := current.Rendition(l.name)
			if now := r.Window(); now != l.window {
				l.window = now
				w.see(e, l)
			}
		}
	}
}

func (w *witness) meet(e *packager.Epoch) {
	next := &watchedEpoch{id: e.ID, index: string(e.Index(false)), scales: map[string]float64{}, inits: map[string]string{}}
	for _, name := range []string{"v0", "a0"} {
		if _, ok := e.Rendition(name); ok {
			next.lanes = append(next.lanes, &watchedLane{name: name, hinted: map[int]bool{}})
		}
	}
	w.epochs = append(w.epochs, next)
	w.event("epoch %d can be played", len(w.epochs))
}

// see takes in one state of a playlist.
func (w *witness) see(e *watchedEpoch, l *watchedLane) {
	a := w.get("/hls/live/" + e.id + "/" + l.name + ".m3u8")
	if a.status != http.StatusOK {
		w.fault("%s: %d %s", l.name, a.status, a.body)
		return
	}
	now, old := readList(w.t, a.body), l.now
	if now.ended { // its parts are gone, and what is said of them
		now.partTarget = old.partTarget
	}
	if old.constant != "" && (now.target != old.target || now.partTarget != old.partTarget || !now.ended && now.constant != old.constant) {
		w.fault("%s: constants were %q and are %q", l.name, old.constant, now.constant)
	}
	if now.first < old.first || now.discontinuities < old.discontinuities || now.lastMSN < old.lastMSN || old.ended && !now.ended {
		w.fault("%s: the playlist goes back", l.name)
	}
	w.seeHint(l, now)
	if old.constant == "" {
		l.met = now.lastMSN
	}
	l.now = now
	for _, s := range now.segments {
		w.seeSegment(e, l, s)
	}
}

// seeHint: a hint is there unless the next segment begins behind a discontinuity.
func (w *witness) seeHint(l *watchedLane, now list) {
	switch {
	case now.hint != "":
		l.hinted[number(now.hint)] = true
	case now.lastInside > 0:
		w.fault("%s: no hint in the middle of segment %d", l.name, now.lastMSN)
	case !now.ended:
		l.unhinted = append(l.unhinted, now.lastMSN)
	}
	if now.ended && now.hint != "" {
		w.fault("%s: ended, hint %q", l.name, now.hint)
	}
}

func (w *witness) seeSegment(e *watchedEpoch, l *watchedLane, s listed) {
	i := len(l.segments)
	if i > 0 {
		i = s.msn - l.segments[0].msn
	}
	switch {
	case i < 0 || i > len(l.segments):
		w.fault("%s: segment %d after %d segments", l.name, s.msn, len(l.segments))
		return
	case i == len(l.segments):
		l.segments = append(l.segments, &watchedSegment{listed: s})
	}
	seen := l.segments[i]
	if !s.pdt.Equal(seen.pdt) || s.discontinuity != seen.discontinuity || s.init != seen.init && s.uri == seen.uri {
		w.fault("%s: segment %d was %+v and is %+v", l.name, s.msn, seen.listed, s)
	}
	for _, p := range s.parts[min(len(seen.fragments), len(s.parts)):] {
		f := w.fetch(e, s.init, p.uri)[0]
		f.dur, f.number = p.dur, number(p.uri)
		if f.sync != p.independent {
			w.fault("%s: %s INDEPENDENT=%v, but its first sample is sync %v", l.name, p.uri, p.independent, f.sync)
		}
		seen.fragments = append(seen.fragments, f)
	}
	if s.uri == "" || seen.uri != "" && seen.uri == s.uri && len(seen.fragments) > 0 && seen.dur == s.dur && seen.whole() {
		return
	}
	w.complete(e, l, seen, s)
}

// whole says that the segment was complete when it was last seen.
func (s *watchedSegment) whole() bool { return s.uri != "" && s.dur > 0 && len(s.fragments) > 0 }

// complete compares a segment with its parts.
func (w *witness) complete(e *watchedEpoch, l *watchedLane, seen *watchedSegment, s listed) {
	all := w.fetch(e, s.init, s.uri)
	if len(seen.fragments) == 0 {
		for _, f := range all {
			seen.fragments = append(seen.fragments, f.rounded())
		}
	}
	if n := len(seen.fragments); l.now.ended && n < len(all) { // its last parts came with the end, which lists none
		for _, f := range all[n:] {
			seen.fragments = append(seen.fragments, f.rounded())
		}
	}
	if len(all) != len(seen.fragments) || all[len(all)-1].end != seen.fragments[len(all)-1].end {
		w.fault("%s: %s is not its parts", l.name, s.uri)
	}
	sum := 0.0
	for _, f := range seen.fragments {
		sum += f.dur
	}
	if math.Abs(sum-s.dur) > 1e-6 {
		w.fault("%s: the parts of %s last %.3f, EXTINF %.3f", l.name, s.uri, sum, s.dur)
	}
	if math.Round(s.dur) > float64(l.now.target) { // 4.4.3.1
		w.fault("%s: %s lasts %.3f, target duration %d", l.name, s.uri, s.dur, l.now.target)
	}
	parts := seen.parts
	seen.listed = s
	seen.parts = parts
}

var partNumber = regexp.MustCompile(`/p(\d+)\.m4s$`)

func number(uri string) int {
	m := partNumber.FindStringSubmatch(uri)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// fetch decodes a part or a segment.
func (w *witness) fetch(e *watchedEpoch, init, uri string) []fragment {
	w.t.Helper()
	file, err := mp4.DecodeFile(bytes.NewReader([]byte(w.body("/hls/live/" + e.id + "/" + uri))))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []fragment
	scale := w.scale(e, init)
	for _, f := range file.Segments[0].Fragments {
		samples, err := f.GetFullSamples(nil)
		if err != nil {
			w.t.Fatal(err)
		}
		at := f.Moof.Traf.Tfdt.BaseMediaDecodeTime()
		one := fragment{start: float64(at) / scale, sync: samples[0].IsSync()}
		for _, s := range samples {
			one.samples = append(one.samples, servedSample{
				number: binary.BigEndian.Uint32(s.Data), said: float64(int64(binary.BigEndian.Uint64(s.Data[4:]))) / 1000,
				shown: float64(int64(at)+int64(s.CompositionTimeOffset)) / scale,
			})
			at += uint64(s.Dur)
		}
		one.end = float64(at) / scale
		out = append(out, one)
	}
	return out
}

// scale returns the ticks of a second that an init section says.
func (w *witness) scale(e *watchedEpoch, init string) float64 {
	w.t.Helper()
	if e.scales[init] == 0 {
		file, err := mp4.DecodeFile(bytes.NewReader([]byte(w.body("/hls/live/" + e.id + "/" + init))))
		if err != nil {
			w.t.Fatal(err)
		}
		trak := file.Init.Moov.Trak
		e.scales[init] = float64(trak.Mdia.Mdhd.Timescale)
		e.inits[init] = fmt.Sprint(trak.Mdia.Mdhd.Timescale, " Hz")
		if v := trak.Mdia.Minf.Stbl.Stsd.AvcX; v != nil {
			e.inits[init] = fmt.Sprintf("%dx%d", v.Width, v.Height)
		} else if v := trak.Mdia.Minf.Stbl.Stsd.HvcX; v != nil {
			e.inits[init] = fmt.Sprintf("%dx%d", v.Width, v.Height)
		}
	}
	return e.scales[init]
}

// verdict adds the faults that only the whole shows.
func (w *witness) verdict() {
	for _, e := range w.epochs {
		for _, l := range e.lanes {
			if !l.now.ended {
				w.fault("%s has not ended", l.name)
			}
			w.verdictLane(l)
		}
		if len(e.lanes) == 2 {
			w.together(e.lanes[0], e.lanes[1])
		}
	}
}

// slack is what rounding two moments to milliseconds costs.
const slack = 0.002

// halfUnit is how far the last unit of audio (at 16 kHz) may reach beyond the last
// picture before a discontinuity.
const halfUnit = 0.032

func (w *witness) verdictLane(l *watchedLane) {
	for i, s := range l.segments {
		w.verdictParts(l, s)
		if i == 0 {
			continue
		}
		last := l.segments[i-1]
		if s.msn != last.msn+1 {
			w.fault("%s: segment %d after %d", l.name, s.msn, last.msn)
		}
		gap := s.pdt.Sub(last.pdt).Seconds() - last.dur
		least := -slack
		if s.discontinuity {
			least -= halfUnit
		}
		if gap < least || gap > slack && !s.discontinuity {
			w.fault("%s: segment %d is dated %.3f s behind the end of the one before it", l.name, s.msn, gap)
		}
		before, after := last.fragments[len(last.fragments)-1], s.fragments[0]
		most := 1e-9
		if s.discontinuity {
			most = halfUnit
		}
		if after.start < before.end-most || after.start > before.end+1e-9 && !s.discontinuity {
			w.fault("%s: segment %d starts at %.6f, the one before ended at %.6f", l.name, s.msn, after.start, before.end)
		}
		w.verdictNumbers(l, s, before.number, after.number)
	}
}

// verdictNumbers: part numbers run on, but a number that was hinted before a
// discontinuity and that nothing came of is never used behind it.
func (w *witness) verdictNumbers(l *watchedLane, s *watchedSegment, before, after int) {
	if s.msn > l.met && slices.Contains(l.unhinted, s.msn) != s.discontinuity {
		w.fault("%s: segment %d DISCONTINUITY=%v, without a hint before %v", l.name, s.msn, s.discontinuity, l.unhinted)
	}
	if before == 0 || after == 0 {
		return
	}
	want := before + 1
	if s.discontinuity && l.hinted[want] {
		want++
	}
	if after != want {
		w.fault("%s: part %d after %d, want %d", l.name, after, before, want)
	}
}

func (w *witness) verdictParts(l *watchedLane, s *watchedSegment) {
	for i, f := range s.fragments {
		last := i == len(s.fragments)-1
		// "at least 85% of the Part Target Duration, with the exception of Partial Segments with the INDEPENDENT
		// attribute … and … the last Partial Segment of any Parent Segment" (RFC 8216bis, 4.4.4.9).
		if f.dur > l.now.partTarget+1e-9 || f.dur < 0.85*l.now.partTarget-1e-9 && (l.name == "a0" || !f.sync) && !last {
			w.fault("%s: a part of segment %d lasts %.3f, part target %.3f", l.name, s.msn, f.dur, l.now.partTarget)
		}
		if last {
			continue
		}
		next := s.fragments[i+1]
		if math.Abs(next.start-f.end) > 1e-9 || f.number > 0 && next.number > 0 && next.number != f.number+1 {
			w.fault("%s: part %d of segment %d starts at %.6f, the one before ended at %.6f", l.name, next.number, s.msn, next.start, f.end)
		}
	}
}

// together asserts what must be the same in two renditions: as many discontinuities,
// because players map times between renditions by their sequence (RFC 8216bis, 4.4.3.3
// and 6.2.4), and between two of them segments that begin together.
func (w *witness) together(v, a *watchedLane) {
	pictures, sound := v.lines(), a.lines()
	for tail := 0.0; len(sound) < len(pictures); { // the broadcast ended before there was sound again
		for _, s := range pictures[len(sound)] {
			tail += s.dur
		}
		if tail > 1.5 {
			break
		}
		sound = append(sound, nil)
	}
	if len(pictures) != len(sound) {
		w.fault("%d discontinuities in v0 and %d in a0", len(pictures)-1, len(sound)-1)
		return
	}
	for i := range pictures {
		w.abreast(pictures[i], sound[i])
	}
}

// abreast compares the segments between two discontinuities. The line may have ended
// with a few pictures of a new segment, before there was sound to them.
func (w *witness) abreast(v, a []*watchedSegment) {
	if len(a) == 0 { // all of it was sound that belongs elsewhere
		return
	}
	if n := len(v) - len(a); !w.holes && (n < 0 || n > 1 || n == 1 && v[len(v)-1].dur > 0.5) {
		w.fault("%d segments in v0 from %d and %d in a0", len(v), v[0].msn, len(a))
	}
	for i := range min(len(v), len(a)) {
		near := halfUnit + slack
		if i == 0 {
			near = 0.5 // audio may begin later
		}
		if off := a[i].pdt.Sub(v[i].pdt).Seconds(); math.Abs(off) > near && !w.holes {
			w.fault("segment %d: a0 begins %.3f s from v0", v[i].msn, off)
		}
	}
}

// lines splits a rendition at its discontinuities.
func (l *watchedLane) lines() [][]*watchedSegment {
	var out [][]*watchedSegment
	for i, s := range l.segments {
		if i == 0 {
			out = append(out, nil)
		}
		for range s.breaks { // there may be nothing between two of them
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out
}
