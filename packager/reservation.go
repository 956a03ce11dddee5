package packager

// numbers are the running numbers of an epoch: those that the next thing of its
// kind will have in that of the renditions which is ahead, and how many
// discontinuities there were.
type numbers struct{ MSN, Part, Init, Breaks uint64 }

// numbers returns where the epoch is. Its renditions go on together after a restart,
// at the same discontinuity sequence.
func (p *packer) numbers() numbers {
	n := numbers{Breaks: p.breaks}
	for _, l := range p.lanes {
		n.MSN = max(n.MSN, l.shelf.nextMSN)
		n.Part = max(n.Part, l.shelf.nextPart)
		n.Init = max(n.Init, l.init.number+1)
	}
	return n
}

// reaches says that some number of n is as high as that of limit.
func (n numbers) reaches(limit numbers) bool {
	return n.MSN >= limit.MSN || n.Part >= limit.Part || n.Init >= limit.Init || n.Breaks >= limit.Breaks
}

// block is an amount of numbers: of segments, and of discontinuities and init sections.
type block struct{ segments, breaks uint64 }

// What is reserved ahead. A process that is killed cannot say how far it came, so
// its successor begins behind everything it can have used; half a block before
// that it is moved on. 32 segments let the disk be slow for half a minute, and
// are a hole of a minute at most to players that count by sequence numbers.
//
// What is left when the disk refuses to move it on, and still refuses every five
// seconds: with a quarter the record is taken away, so that nobody goes on from it. And
// when not even that works, the epoch ends with the last few numbers: what one sample
// and a pause behind it can take.
func reserved() block { return block{segments: 32, breaks: 8} }
func halfway() block  { return block{segments: 16, breaks: 4} }
func pressing() block { return block{segments: 8, breaks: 3} }
func lastFew() block  { return block{segments: 4, breaks: 2} }

// behind returns the numbers that lie so much behind n.
func (l limits) behind(n numbers, b block) numbers {
	parts := uint64(2*l.target/l.part) + 4 // of one segment, were they half as long as they should be
	return numbers{
		MSN: n.MSN + b.segments, Part: n.Part + b.segments*parts,
		Init: n.Init + b.breaks, Breaks: n.Breaks + b.breaks,
	}
}

// reservation is what a stream knows of the records of its epoch.
type reservation struct {
	kept   *numbers // where the one on disk has others go on; nil: there is none
	coming *numbers // and the one that is being written, which may be there any moment
	next   numbers  // when another is asked for
	asked  bool
}

// end returns where others may go on with the epoch, nil when nobody can.
func (r *reservation) end() *numbers {
	if r.kept != nil {
		return r.kept
	}
	return r.coming
}

// restorable says that players know the epoch, so that it is worth a record.
func (s *Stream) restorable() bool {
	return s.session != nil && s.packer != nil && s.packer.epoch.index.Load() != nil
}

// reserve asks for another record in the middle of the block.
func (s *Stream) reserve() {
	if !s.env.keeps || s.reserved.asked || s.phase != PhaseLive {
		return
	}
	if s.packer.numbers().reaches(s.reserved.next) {
		s.reserved.asked = true
		s.env.keep(s.room)
	}
}

// spent says that the epoch has used what is reserved for it. With more, its numbers
// could be given away twice: by this process, and by the next, which finds the record.
func (s *Stream) spent() bool {
	end := s.reserved.end()
	return end != nil && s.packer.limits.behind(s.packer.numbers(), lastFew()).reaches(*end)
}

// overrun goes on in another epoch, of which no record says anything.
func (s *Stream) overrun() {
	s.env.metrics.recordErrors.Inc()
	s.env.log.Error("stream epoch ended early", "room", s.room, "epoch", s.packer.epoch.ID,
		"hint", "players load the stream anew: the disk of state_dir has not taken a record for long, see to it")
	s.relayout()
}

// record returns what is to be kept of the stream; ok is false when it is nothing.
// The numbers of a stream that has stopped are exact, others are reserved ahead.
// The caller says with recorded what became of it.
func (s *Stream) record() (r record, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved.asked = false
	if !s.restorable() {
		return record{}, false
	}
	next := s.packer.numbers()
	if !s.stopped {
		s.reserved.next = s.packer.limits.behind(next, halfway())
		next = s.packer.limits.behind(next, reserved())
	}
	s.reserved.coming = &next
	return s.packer.record(s.session, next), true
}

// recorded says that r is in the folder, and that it is there for good. If not, the
// caller asks whether the record that is there has to go.
func (s *Stream) recorded(r record, there, lasting bool) (remove bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packer == nil || s.packer.epoch.ID != r.Epoch {
		return !lasting // of an epoch that has ended
	}
	s.reserved.coming = nil
	if there && (lasting || s.reserved.kept == nil) { // else the one before could come back with a power cut
		s.reserved.kept = &r.Next
	}
	if lasting {
		return false
	}
	kept := s.reserved.kept
	return kept == nil || s.packer.limits.behind(s.packer.numbers(), pressing()).reaches(*kept)
}

// unrecorded says that there is no record of the room.
func (s *Stream) unrecorded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved.kept = nil
}
