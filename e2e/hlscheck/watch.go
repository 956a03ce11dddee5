package hlscheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Options says what to watch.
type Options struct {
	URL       string             // of the multivariant playlist
	For       time.Duration      // how long; the stream's end comes first
	Transport http.RoundTripper  // nil: the standard one, without limits of connections
	Jitter    time.Duration      // what a part may be late by: encoder, network and the clock of this machine; 0: 150 ms
	Decode    func(string) error // a second parser for every playlist; nil: none
}

// watcher is one watch.
type watcher struct {
	*ledger
	opts       Options
	at         *url.URL
	renditions []*Rendition
	index      *Multivariant // the first
	newest     *Multivariant
	ended      int
}

// Watch looks at a stream until it ends, opts.For is over or ctx ends, and returns
// what the rules say. It is an error when there is no stream at all.
func Watch(ctx context.Context, opts Options) (*Result, error) {
	at, err := url.Parse(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("address of the stream: %w", err)
	}
	if opts.Transport == nil {
		t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}
		defer t.CloseIdleConnections()
		opts.Transport = t
	}
	if opts.Jitter == 0 {
		opts.Jitter = 150 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, opts.For)
	defer cancel()
	w := &watcher{ledger: newLedger(), opts: opts, at: at}
	if err = w.find(ctx); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	for _, r := range w.renditions {
		f := &follower{watcher: w, r: r, jobs: make(chan job, jobsQueued)}
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	w.rates()
	return &Result{Tallies: w.tallies, Ended: w.ended == len(w.renditions)}, nil
}

// find waits for the multivariant playlist.
func (w *watcher) find(ctx context.Context) error {
	for {
		answer, err := get(ctx, w.opts.Transport, Ask{Kind: KindIndex, URL: w.at})
		if err == nil && answer.Status == http.StatusOK {
			w.mu.Lock()
			w.see(answer)
			w.mu.Unlock()
			w.sawIndex(answer)
			return w.open()
		}
		if err == nil {
			err = errors.New(answer.String())
		}
		if !pause(ctx, 250*time.Millisecond) {
			return fmt.Errorf("no stream: %w", err)
		}
	}
}

func (w *watcher) sawIndex(answer *Answer) {
	m := ParseMultivariant(string(answer.Body))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.index == nil {
		w.index = m
	}
	w.newest = m
	w.see(&Index{M: m, Answer: answer})
}

// seeIndex loads the multivariant playlist once more.
func (w *watcher) seeIndex(ctx context.Context, r *Rendition) {
	if answer := w.ask(ctx, r, Ask{Kind: KindIndex, URL: w.at}); answer != nil && answer.Status == http.StatusOK {
		w.sawIndex(answer)
	}
}

func (w *watcher) open() error {
	for _, uri := range w.index.Playlists() {
		at, err := w.at.Parse(uri)
		if err != nil {
			return fmt.Errorf("media playlist: %w", err)
		}
		w.renditions = append(w.renditions, newRendition(uri, at))
	}
	if len(w.renditions) == 0 {
		return fmt.Errorf("%s names no media playlist:\n%s", w.at, w.index.Text)
	}
	return nil
}

// pause waits; false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask sends a request and lets the rules see the answer; nil when there is none.
func (w *watcher) ask(ctx context.Context, r *Rendition, ask Ask) *Answer {
	answer, err := get(ctx, w.opts.Transport, ask)
	if ctx.Err() != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.see(&Silence{URL: ask.URL.String(), Err: err})
	if err != nil {
		return nil
	}
	if r.now != nil {
		answer.Target = r.now.TargetDuration
	}
	w.see(answer)
	return answer
}

// codecs are those of all variants that use the rendition, in the first multivariant
// playlist and in the newest.
func (w *watcher) codecs(r *Rendition) (all string) {
	for _, m := range []*Multivariant{w.index, w.newest} {
		for _, v := range m.Variants {
			if v.Attributes["CODECS"] != "" && slices.Contains(m.playlistsOf(v), r.Name) {
				all += v.Attributes["CODECS"] + ","
			}
		}
	}
	return all
}

// rates tells the rules what each variant took.
func (w *watcher) rates() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.index.Variants {
		rate := Rate{Variant: v}
		for _, uri := range w.index.playlistsOf(v) {
			for _, r := range w.renditions {
				if r.Name == uri && r.took > 0 {
					rate.Peak += r.peak
					rate.Average += r.bits / r.took.Seconds()
				}
			}
		}
		if rate.Peak > 0 {
			w.see(&rate)
		}
	}
}
