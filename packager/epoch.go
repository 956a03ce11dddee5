package packager

import (
	"cmp"
	"math"
	"sync/atomic"
	"time"

	"barrage/packager/fmp4"
	"barrage/packager/media"
	"barrage/packager/playlist"
)

// Epoch is one numbering of segments at one set of addresses, as readers see it.
type Epoch struct {
	ID         string
	renditions map[string]*Rendition // never changed
	index      atomic.Pointer[sheet]
	muxer      *muxer
	env        *env
	share      *share
	fps        float64   // FRAME-RATE while there is no grid
	lanes      []*lane   // the leader first; the writer's, as is the rest
	held       int64     // bytes, as the budget knows
	until      time.Time // when it may be forgotten; zero while in use
}

// Rendition returns the media playlist "v0", "a0" or "ts"; the last is made as long as
// it is asked for.
func (e *Epoch) Rendition(name string) (*Rendition, bool) {
	if name == muxedName {
		return e.muxer.rendition, e.muxer.ask() == nil
	}
	r, ok := e.renditions[name]
	return r, ok
}

// Empty says that some rendition lists nothing: the epoch goes on after a restart of
// the server, and its publisher is not back.
func (e *Epoch) Empty() bool {
	for _, r := range e.renditions {
		if r.Window().Empty() {
			return true
		}
	}
	return false
}

// Index returns the multivariant playlist, nil until every rendition lists a segment.
func (e *Epoch) Index(gzip bool) []byte {
	s := e.index.Load()
	if s == nil {
		return nil
	}
	return s.bytes(gzip)
}

// Muxed returns the multivariant playlist of the MPEG-TS rendition, nil until it lists a
// segment. The error says why there is none.
func (e *Epoch) Muxed(gzip bool) ([]byte, error) {
	if err := e.muxer.ask(); err != nil {
		return nil, err
	}
	s := e.muxer.index.Load()
	if s == nil {
		return nil, nil
	}
	return s.bytes(gzip), nil
}

// publish makes visible what is on the shelf of a lane.
func (e *Epoch) publish(l *lane) {
	l.dirty = false
	l.rendition.publish(e.next(l))
	for _, other := range e.lanes {
		other.stale = other.stale || other != l
	}
	l.stale = false
}

// report brings the rendition reports of playlists up to date that have not changed
// otherwise. Nobody is woken for that; it is for who asks later.
func (e *Epoch) report() {
	for _, l := range e.lanes {
		if l.stale {
			l.stale = false
			l.rendition.replace(e.next(l))
		}
	}
}

// next makes the lane's next Window.
func (e *Epoch) next(l *lane) *Window {
	w := l.shelf.snapshot()
	if w.Empty() {
		return w
	}
	still, reports := *l.shelf, e.reports(l)
	form := func(skip int) *sheet {
		return &sheet{env: e.env, append: func(dst []byte) ([]byte, error) {
			m := still.playlist(l.name, reports)
			m.Skip = skip
			return m.Append(dst)
		}}
	}
	w.full = form(0)
	if n := still.skippable(); n > 0 {
		w.delta = form(n)
	}
	return w
}

// reports tells the players of one rendition how far the others have got, so that
// they can switch without a reload in between (RFC 8216bis, 4.4.5.4 and B.1).
func (e *Epoch) reports(l *lane) []playlist.Report {
	var out []playlist.Report
	for _, other := range e.lanes {
		if other == l {
			continue
		}
		msn, newest := last(other.shelf.segments, other.shelf.open)
		if msn > 0 {
			out = append(out, playlist.Report{URI: other.name + ".m3u8", LastMSN: msn, LastPart: newest})
		}
	}
	return out
}

// list writes the multivariant playlist of what has been measured.
func (e *Epoch) list(fps float64) {
	renditions := measureLanes(e.lanes)
	id, fps := e.ID, cmp.Or(fps, e.fps)
	e.index.Store(&sheet{env: e.env, append: func(dst []byte) ([]byte, error) {
		m, err := multivariant(id, renditions, fps)
		if err != nil {
			return dst, err
		}
		return m.Append(dst)
	}})
}

// lane is what the writer keeps of one rendition.
type lane struct {
	name      string
	track     media.Track // as it leaves: ticks of the media
	rendition *Rendition
	shelf     *shelf
	init      *section
	breaks    int  // discontinuities before the next segment: two when nothing came between them
	fresh     int  // parts to be published
	dirty     bool // something is to be published
	stale     bool // another rendition has got on since
	rate      bitrate
	seen      time.Time // newest sample
}

// bitrate measures segments.
type bitrate struct {
	bits, peak float64
	dur        time.Duration
}

func (b *bitrate) add(seg *segment) {
	d := seg.end - seg.start
	bits := float64(seg.size) * 8
	b.bits += bits
	b.dur += d
	if d > 0 {
		b.peak = max(b.peak, bits/d.Seconds())
	}
}

// bound returns the average and the peak in whole kbit/s, as bits. BANDWIDTH is the
// peak of all segments (4.4.6.2), but most of them have not been broadcast yet: a
// quarter is added to the average, or a tenth to the peak so far.
func (b *bitrate) bound(promised int) (average, peak int) {
	if b.dur <= 0 {
		return promised, promised
	}
	avg := b.bits / b.dur.Seconds()
	top := max(avg*1.25, b.peak*1.1, float64(promised))
	kilo := func(x float64) int { return int(math.Ceil(x/1000)) * 1000 }
	return kilo(avg), kilo(top)
}

// laneName is the address of the rendition of a kind.
func laneName(k media.Kind) string {
	if k == media.Audio {
		return "a0"
	}
	return "v0"
}

// measured is what the multivariant playlist says of a rendition.
type measured struct {
	name          string
	track         media.Track
	average, peak int // bits per second
}

func measureLanes(lanes []*lane) []measured {
	out := make([]measured, len(lanes))
	for i, l := range lanes {
		avg, peak := l.rate.bound(l.track.Bitrate)
		out[i] = measured{name: l.name, track: l.track, average: avg, peak: peak}
	}
	return out
}

// multivariant describes an epoch: the leader is the variant, audio beside a video
// is a rendition of its own.
func multivariant(id string, renditions []measured, fps float64) (*playlist.Multivariant, error) {
	lead := renditions[0]
	v := playlist.Variant{URI: id + "/" + lead.name + ".m3u8", Width: lead.track.Width, Height: lead.track.Height, FrameRate: fps}
	m := &playlist.Multivariant{}
	for i, r := range renditions {
		codec, err := fmp4.CodecString(r.track)
		if err != nil {
			return nil, err
		}
		v.Codecs = append(v.Codecs, codec)
		v.AverageBandwidth += r.average
		v.Bandwidth += r.peak
		if i > 0 {
			v.AudioGroup = "audio"
			m.Audio = append(m.Audio, playlist.AudioRendition{
				Group: "audio", Name: "main", URI: id + "/" + r.name + ".m3u8", Channels: r.track.Channels, Default: true,
			})
		}
	}
	m.Variants = []playlist.Variant{v}
	return m, nil
}

// packed describes an epoch as MPEG-TS: one variant of all tracks.
func packed(id string, r measured, tracks []media.Track, fps float64) (*playlist.Multivariant, error) {
	v := playlist.Variant{URI: id + "/" + r.name + ".m3u8", AverageBandwidth: r.average, Bandwidth: r.peak}
	for _, t := range tracks {
		codec, err := fmp4.CodecString(t)
		if err != nil {
			return nil, err
		}
		v.Codecs = append(v.Codecs, codec)
		if t.Kind == media.Video {
			v.Width, v.Height, v.FrameRate = t.Width, t.Height, fps
		}
	}
	return &playlist.Multivariant{Version: playlist.VersionPacked, Variants: []playlist.Variant{v}}, nil
}
