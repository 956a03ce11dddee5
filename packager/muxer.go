package packager

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"barrage/packager/fmp4"
	"barrage/packager/media"
	"barrage/packager/mpegts"
	"barrage/packager/timeline"
)

// muxedName is the rendition that a muxer makes.
const muxedName = "ts"

const (
	muxedIdle    = time.Minute // without a request, and the muxer is off
	muxedTargets = 6           // how much is there at once when it is switched on, in target durations
)

// muxer makes the MPEG-TS rendition of an epoch out of the Windows of the others: a part
// is the sample table of its media. It works for those who ask and when they ask, so the
// publisher's path knows nothing of it: what has been completed since the last request
// is made then, segment by segment in order. Without requests it is off, and keeps the
// continuity counters.
type muxer struct {
	env       *env
	share     *share
	epoch     string
	sources   []*Rendition // the leader first
	rendition *Rendition
	index     atomic.Pointer[sheet]
	size      atomic.Int64 // bytes on the shelf
	limits    limits
	fps       float64

	mu      sync.Mutex // ordered behind every Stream.mu; guards what follows
	refused error      // why this epoch cannot be MPEG-TS
	retired bool       // the epoch is forgotten
	asked   time.Time  // newest request
	shelf   *shelf     // nil: off
	least   uint64     // the playlist has started here: media sequence numbers only rise
	rate    bitrate
	mux     mux
}

// newMuxer makes the muxer of an epoch, which is off.
func newMuxer(p *packer, fps float64) *muxer {
	m := &muxer{env: p.env, share: p.epoch.share, epoch: p.epoch.ID, rendition: newRendition(), limits: p.limits, fps: fps}
	m.limits.part, m.limits.partTarget = 0, 0
	m.mux.starts = map[uint64]mpegts.Counters{}
	var tracks []media.Track
	for _, l := range p.lanes {
		m.sources = append(m.sources, l.rendition)
		tracks = append(tracks, l.track)
	}
	_, m.refused = mpegts.NewProgram(tracks...)
	return m
}

// ask notes a request and makes what has been completed since the one before. It says
// why there is no MPEG-TS of the epoch.
func (m *muxer) ask() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused != nil || m.retired {
		return m.refused
	}
	m.asked = m.env.now()
	o := m.look()
	if m.shelf != nil && o.lost(m.shelf.nextMSN) {
		m.clear() // asked so seldom that media is gone
	}
	if m.shelf == nil {
		if m.shelf = m.start(o); m.shelf == nil {
			return nil
		}
		m.env.wake() // for expire
	}
	if m.refused = m.catchUp(o); m.refused != nil {
		m.clear()
		m.env.metrics.renderErrors.Inc()
		m.env.log.Error("stream not muxed", "epoch", m.epoch, "err", m.refused)
	}
	return m.refused
}

func (m *muxer) look() offer {
	o := offer{lead: m.sources[0].Window()}
	if len(m.sources) > 1 {
		o.follow = m.sources[1].Window()
	}
	return o
}

// start returns an empty shelf that begins a while ago, so that the first answer can be
// played; nil while there is nothing to play.
func (m *muxer) start(o offer) *shelf {
	all := o.lead.segments
	first, span := len(all), time.Duration(0)
	for first > o.lead.listed && span < muxedTargets*m.limits.target && all[first-1].msn >= m.least {
		first--
		span += all[first].end - all[first].start
	}
	for first < len(all) && !o.whole(all[first]) {
		first++
	}
	if first == len(all) {
		return nil
	}
	s := newShelf(m.limits)
	s.nextMSN, s.left = all[first].msn, o.lead.left
	for _, before := range all[o.lead.listed:first] {
		s.left += uint64(before.breaks)
	}
	return s
}

// catchUp makes every segment that the leader has completed and whose audio is there.
func (m *muxer) catchUp(o offer) error {
	made := false
	next := o.lead.complete(m.shelf.nextMSN)
	for ; next != nil; next = o.lead.complete(m.shelf.nextMSN) {
		heard, config, ok := o.beside(next)
		if !ok {
			break
		}
		data, err := m.mux.segment(next, heard, config)
		if err != nil {
			return fmt.Errorf("segment %d: %w", next.msn, err)
		}
		m.shelf.begin(next.start, next.pdt, next.init, next.breaks)
		m.shelf.add(part{start: next.start, end: next.end, independent: next.parts[0].independent, data: data})
		m.rate.add(m.shelf.close())
		m.weigh()
		m.env.metrics.segments.WithLabelValues(muxedName).Inc()
		made = true
	}
	ended := o.lead.Ended && next == nil
	if made || ended != m.shelf.ended {
		m.shelf.ended = ended
		m.mux.forget(o.lead.segments[0].msn)
		m.publish()
	}
	return nil
}

// publish makes visible what is on the shelf.
func (m *muxer) publish() {
	w := m.shelf.snapshot()
	if len(w.segments) > 0 {
		m.least = w.segments[w.listed].msn
		still := *m.shelf
		w.full = &sheet{env: m.env, append: func(dst []byte) ([]byte, error) { return still.packed(muxedName).Append(dst) }}
		avg, peak := m.rate.bound(0)
		m.list(avg, peak, m.mux.tracks())
	}
	m.rendition.publish(w)
}

// list writes the multivariant playlist.
func (m *muxer) list(average, peak int, tracks []media.Track) {
	muxed := measured{name: muxedName, average: average, peak: peak}
	m.index.Store(&sheet{env: m.env, append: func(dst []byte) ([]byte, error) {
		v, err := packed(m.epoch, muxed, tracks, m.fps)
		if err != nil {
			return dst, err
		}
		return v.Append(dst)
	}})
}

// foretell gives an epoch that goes on after a restart its multivariant playlist, before
// there is media: every access unit costs up to a packet and its headers more than in
// fMP4, and all bytes 4 of 188.
func (m *muxer) foretell(others []measured) {
	var average, peak int
	var tracks []media.Track
	for _, o := range others {
		units := m.fps
		if o.track.Kind == media.Audio {
			units = float64(o.track.SampleRate) / float64(timeline.AudioUnit(o.track))
		}
		more := int(units * 220 * 8)
		average, peak = average+o.average*188/184+more/2, peak+o.peak*188/184+more
		tracks = append(tracks, o.track)
	}
	m.list(average, peak, tracks)
}

// weigh says what is held, and drops the oldest when that is more than it should be. If
// it still is, other media has to go.
func (m *muxer) weigh() {
	for {
		size := int64(0)
		if m.shelf != nil {
			size = m.shelf.size
		}
		m.share.hold(size - m.size.Swap(size))
		if m.shelf == nil || !m.share.exceeded() {
			return
		}
		if !m.shelf.shed() {
			m.env.wake()
			return
		}
		m.env.metrics.shed.Inc()
	}
}

// clear switches off: nothing is on offer, and nothing in memory.
func (m *muxer) clear() {
	m.shelf = nil
	m.weigh()
	m.rendition.publish(&Window{})
}

// shed drops the oldest segment to save memory, and says whether it could.
func (m *muxer) shed() bool {
	if m.size.Load() == 0 {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shelf == nil || !m.shelf.shed() {
		return false
	}
	m.env.metrics.shed.Inc()
	m.weigh()
	m.publish()
	return true
}

// expire switches off when nobody has asked for long, and returns when that would be.
// It does not wait for a request that is being answered, as the publisher would have to.
func (m *muxer) expire(now time.Time) (next time.Time) {
	if !m.mu.TryLock() {
		return now.Add(muxedIdle)
	}
	defer m.mu.Unlock()
	if m.shelf == nil {
		return time.Time{}
	}
	if due := m.asked.Add(muxedIdle); now.Before(due) {
		return due
	}
	m.clear()
	return time.Time{}
}

// retire switches off for good.
func (m *muxer) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired = true
	m.clear()
}

// offer is what the sources have at one moment.
type offer struct{ lead, follow *Window } // follow is nil for a single track

// lost says that a segment is neither there nor still to come.
func (o offer) lost(msn uint64) bool {
	return len(o.lead.segments) > 0 && msn < o.lead.segments[0].msn
}

// beside returns the audio that is heard with a segment of the leader, and the newest
// audio up to there, which tells how it is coded. ok is false while more may come.
//
// Both are cut at the same times; but a segment of the leader may have no audio, so
// their numbers do not tell which belong together. Program date times do, over
// discontinuities too.
func (o offer) beside(lead *segment) (heard []*segment, config *segment, ok bool) {
	if o.follow == nil {
		return nil, nil, true
	}
	all, end := o.follow.segments, lead.pdt.Add(lead.end-lead.start)
	from, to := 0, 0
	for ; to < len(all); to++ {
		middle := all[to].pdt.Add((all[to].end - all[to].start) / 2)
		if !middle.Before(end) {
			break
		}
		config = all[to]
		if middle.Before(lead.pdt) {
			from = to + 1
		}
	}
	return all[from:to], config, to > from || to < len(all) || o.follow.Ended
}

// whole says that all audio of the segment is in memory: some from before its end is.
func (o offer) whole(lead *segment) bool {
	_, config, ok := o.beside(lead)
	return ok && (o.follow == nil || config != nil)
}

// mux puts the media of one epoch into transport stream segments.
type mux struct {
	// starts holds the continuity counters before every segment that was made, and
	// before the one that follows it: made again, a segment is the same bytes, as it has
	// the same address.
	starts       map[uint64]mpegts.Counters
	program      *mpegts.Program
	inits        [2]*section // what program was made for
	video, audio []media.Sample
}

// segment makes the segment of that number of the leader. The audio that is heard may be
// none; config says what it would be, nil for a stream without.
func (m *mux) segment(lead *segment, heard []*segment, config *segment) ([]byte, error) {
	if err := m.configure(lead, config); err != nil {
		return nil, err
	}
	m.video, m.audio = m.video[:0], m.audio[:0]
	defer func() { clear(m.video); clear(m.audio) }() // parts belong to their Windows
	for _, source := range append([]*segment{lead}, heard...) {
		into := &m.video
		if source.init.track.Kind == media.Audio {
			into = &m.audio
		}
		for i := range source.parts {
			var err error
			if *into, err = fmp4.AppendSamples(*into, source.parts[i].data); err != nil {
				return nil, err
			}
		}
	}
	data, after := m.program.AppendSegment(nil, m.starts[lead.msn], mpegts.Segment{Video: m.video, Audio: m.audio})
	m.starts[lead.msn+1] = after
	return data, nil
}

// configure makes the program, anew when a configuration has changed.
func (m *mux) configure(lead, audio *segment) error {
	inits := [2]*section{lead.init}
	if audio != nil {
		inits[1] = audio.init
	}
	if inits == m.inits {
		return nil
	}
	m.inits = inits
	var err error
	m.program, err = mpegts.NewProgram(m.tracks()...)
	return err
}

func (m *mux) tracks() []media.Track {
	var out []media.Track
	for _, s := range m.inits {
		if s != nil {
			out = append(out, s.track)
		}
	}
	return out
}

// forget drops the counters of segments that can never be made again.
func (m *mux) forget(before uint64) {
	maps.DeleteFunc(m.starts, func(msn uint64, _ mpegts.Counters) bool { return msn < before })
}
