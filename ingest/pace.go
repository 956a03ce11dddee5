package ingest

import "time"

// pace compares the clock of a track, its decoding times, with ours. Their
// difference is the lead: it stays the same while an encoder keeps up, whatever
// number its times began with. A network delivers late and never early, so of all
// leads within a second the greatest is the one without jitter. Times are
// milliseconds.
type pace struct {
	started bool
	newest  int64         // decoding time of the newest sample
	at      time.Duration // age of the connection when it came

	second int64 // whose greatest lead is in leads[0]
	leads  [2]int64
	best   int64         // the greatest lead of all
	bestAt time.Duration // when that was
}

const (
	// A step back further than this starts a new count: an encoder that was
	// restarted is not behind.
	paceRestart = 1000
	// Two quartz clocks differ by as much: 100 ppm are 8.6 s a day, which are no
	// fault of the sender.
	clockError = 10_000
)

func (p *pace) sample(age time.Duration, dts int64) {
	if p.started && dts < p.newest-paceRestart {
		*p = pace{}
	}
	lead := dts - age.Milliseconds()
	second := int64(age / time.Second)
	switch {
	case !p.started:
		*p = pace{started: true, second: second, leads: [2]int64{lead, lead}, best: lead, bestAt: age}
	case second == p.second:
		p.leads[0] = max(p.leads[0], lead)
	case second == p.second+1:
		p.leads = [2]int64{lead, p.leads[0]}
	default:
		p.leads = [2]int64{lead, lead}
	}
	p.second, p.newest, p.at = second, dts, age
	if lead > p.bar(age) {
		p.best, p.bestAt = lead, age
	}
}

// bar is the greatest lead so far, less what clocks may have drifted since.
func (p *pace) bar(age time.Duration) int64 {
	return p.best - (age-p.bestAt).Milliseconds()/clockError
}

// lead is the greatest lead of this second and the one before.
func (p *pace) lead(age time.Duration) int64 {
	if int64(age/time.Second) > p.second+1 {
		return p.newest - age.Milliseconds() // nothing has come since
	}
	return max(p.leads[0], p.leads[1])
}

// lag is how far the track is behind where it would be had it kept its pace.
func (p *pace) lag(age time.Duration) int64 { return max(p.bar(age)-p.lead(age), 0) }

// silence is how long the track has been missing.
func (p *pace) silence(age time.Duration) silence {
	return silence{seen: p.started, dur: age - p.at}
}
