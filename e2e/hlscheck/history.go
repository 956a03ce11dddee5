package hlscheck

import (
	"crypto/sha256"
	"net/url"
	"sync"
	"time"
)

// The events that rules look at. Whatever they point to is history as it was when
// the event happened; checks only read it.

// Reload is a state of a media playlist, complete; Old is the one before, nil at first.
type Reload struct {
	R        *Rendition
	Old, Now *Media
	Answer   *Answer
	Others   map[*Rendition]Position // where the other playlists were when this was asked for
	Blocking bool                    // an ordinary blocking reload, not one of the odd requests
	Since    time.Duration           // since the newest part before was seen; 0 when there is none or it is unknown
	Jitter   time.Duration           // allowed on top
	Peers    []*Rendition            // the other media playlists
	Watched  time.Duration           // since the first state
}

// Sent is a media playlist as it was sent: a delta update is not completed.
type Sent struct {
	R      *Rendition
	Raw    *Media
	Answer *Answer
	Decode error // of a second decoder, when there is one
	Second bool  // it was asked
	Offers bool  // delta updates were on offer before
	First  int   // version of the first playlist of its kind (whole or delta)
}

// Delta is a delta update, completed with an older playlist, beside the whole one.
type Delta struct {
	R         *Rendition
	Raw, Full *Media
	Merged    *Media // nil: it cannot be
	Err       error
}

// Encodings is the same playlist zipped and not; Same is false when it changed between.
type Encodings struct {
	Plain, Zip *Answer
	Same       bool
}

// Probe is an odd request and its answer.
type Probe struct {
	Name   string
	R      *Rendition
	Answer *Answer
	Got    *Media // nil unless a playlist came
	Before *Media // newest state before the request
}

// Hinted is how a preload hint ended.
type Hinted struct {
	R      *Rendition
	URI    string
	Listed bool // it has become a part
	Ended  bool // the stream has ended, and parts are listed no more
	Answer *Answer
}

// Fetched is a part or segment that was loaded when it was listed.
type Fetched struct {
	R         *Rendition
	Part      *seenPart // one of the two
	Segment   *seenSegment
	URI       string
	Answer    *Answer
	Known     bool // the address was loaded before, and gave Before
	Same      bool // the same bytes
	Err       error
	Joined    bool // the segment is what its parts make; meaningful when Complete
	Complete  bool // every part of the segment is known
	Gap       bool // media before it was not seen, or a discontinuity
	Expect    time.Duration
	Drift     time.Duration // sum of EXTINF less the media, since the first one
	Summed    bool
	PTSDrift  time.Duration // difference of PTS less that of PDT
	PTSTimed  bool
	Continues bool // counters of the transport stream
}

// Removed is media that was loaded again after it had left the playlist.
type Removed struct {
	R      *Rendition
	Kind   Kind
	Answer *Answer
	After  time.Duration
	Err    error
}

// Init is an init section.
type Init struct {
	R      *Rendition
	Answer *Answer
	Track  *Track
	Err    error
	Codecs string // of the variants that use the rendition
}

// Pair is a segment and the one of another rendition that begins closest to it.
type Pair struct {
	A, B   *Rendition
	SA, SB *Segment
	TA, TB time.Duration // target durations
	Unit   time.Duration
}

// Index is a multivariant playlist.
type Index struct {
	M      *Multivariant
	Answer *Answer
}

// Silence is a request without an answer; Err is nil when there was one.
type Silence struct {
	URL string
	Err error
}

// Rate is what a variant took on the wire; at the end of a watch.
type Rate struct {
	Variant       Variant
	Peak, Average float64 // bits per second
}

type seenPart struct {
	Part
	msn    uint64
	index  int
	last   bool // of its segment, as far as is known
	gapped bool // a gap follows
	span   Span
	body   []byte
	loaded bool
}

type seenSegment struct {
	Segment
	span    Span
	packets *Packets
	loaded  bool
	bytes   int
}

type hint struct {
	answer   *Answer
	resolved bool
	listed   bool
}

// Rendition is what is known of one media playlist.
type Rendition struct {
	Name string // its URI in the multivariant playlist
	url  *url.URL

	now, before *Media
	started     time.Time
	versions    map[bool]int // by: a delta update
	removing    map[Kind]bool
	polls       int       // ordinary reloads so far
	grew        bool      // with the last reload
	turns       int       // odd requests so far
	grown       time.Time // when now brought new media
	longest     time.Duration
	tracks      map[string]*Track
	parts       map[string]*seenPart
	segments    map[uint64]*seenSegment
	hashes      map[string][sha256.Size]byte
	order       []string // of hashes, oldest first
	hints       map[string]*hint
	paired      map[string]uint64 // newest segment compared with each other rendition
	lastPart    *seenPart
	lastSegment *seenSegment
	extinf      time.Duration // sum since base
	base        time.Duration
	bits        float64
	took        time.Duration
	peak        float64
}

func newRendition(name string, at *url.URL) *Rendition {
	return &Rendition{
		Name: name, url: at, tracks: map[string]*Track{}, parts: map[string]*seenPart{}, segments: map[uint64]*seenSegment{},
		hashes: map[string][sha256.Size]byte{}, hints: map[string]*hint{}, paired: map[string]uint64{},
		versions: map[bool]int{}, removing: map[Kind]bool{},
	}
}

func (r *Rendition) at(uri string) *url.URL {
	u, err := r.url.Parse(uri)
	if err != nil {
		return r.url
	}
	return u
}

func (r *Rendition) last() (Position, bool) {
	if r.now == nil {
		return Position{}, false
	}
	return r.now.Last(), true
}

// hashesKept bounds how long an address is remembered; segments of an hour and their parts.
const hashesKept = 20000

// same remembers the bytes of an address and says whether they are as before.
func (r *Rendition) same(uri string, body []byte) (known, same bool) {
	sum := sha256.Sum256(body)
	old, known := r.hashes[uri]
	if !known {
		r.hashes[uri] = sum
		if r.order = append(r.order, uri); len(r.order) > hashesKept {
			delete(r.hashes, r.order[0])
			r.order = r.order[1:]
		}
	}
	return known, old == sum
}

// forget drops what has left the playlist long ago.
func (r *Rendition) forget() {
	for uri, p := range r.parts {
		if p.msn+4 < r.now.MediaSequence {
			delete(r.parts, uri)
		}
	}
	for msn := range r.segments {
		if msn+4 < r.now.MediaSequence {
			delete(r.segments, msn)
		}
	}
}

// ledger is the rules and what became of them. Events are evaluated one at a time.
type ledger struct {
	mu      sync.Mutex
	tallies []Tally
}

func newLedger() *ledger {
	l := &ledger{}
	for _, r := range Rules() {
		l.tallies = append(l.tallies, Tally{Rule: r, since: time.Now()})
	}
	return l
}

// see evaluates an event; mu is held.
func (l *ledger) see(event any) {
	for i := range l.tallies {
		l.tallies[i].Rule.check(&l.tallies[i], event)
	}
}
