package hlscheck

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Kind is what a request is for.
type Kind string

// Kinds of resources.
const (
	KindIndex    Kind = "multivariant playlist"
	KindPlaylist Kind = "media playlist"
	KindInit     Kind = "init section"
	KindSegment  Kind = "segment"
	KindPart     Kind = "part"
	KindNothing  Kind = "nothing" // an address where nothing is
)

// Ask is one request.
type Ask struct {
	Kind     Kind
	URL      *url.URL
	Want     *Position // of a blocking reload
	Skip     bool
	Query    string // instead of Want and Skip
	Identity bool   // without gzip
}

// query of a playlist request; the order is that of 6.2.5: by name.
func (a *Ask) query() string {
	q := url.Values{}
	if a.Want != nil {
		q.Set("_HLS_msn", fmt.Sprint(a.Want.MSN))
		if a.Want.Part >= 0 {
			q.Set("_HLS_part", fmt.Sprint(a.Want.Part))
		}
	}
	if a.Skip {
		q.Set("_HLS_skip", "YES")
	}
	if a.Query != "" {
		return a.Query
	}
	return q.Encode()
}

// Answer is what came back.
type Answer struct {
	Ask                  Ask
	URL                  string
	Status               int
	Header               http.Header
	Body                 []byte // unzipped
	Gzip                 bool
	Redirects            int
	Sent, First, Arrived time.Time     // asked, header there, body there
	Target               time.Duration // the target duration of its playlist; 0 when unknown
}

func (a *Answer) String() string {
	return fmt.Sprintf("%s: %d", a.URL, a.Status)
}

// maxBody bounds what is read of one answer.
const maxBody = 256 << 20

// get sends one request. An error means that there was no answer.
func get(ctx context.Context, client http.RoundTripper, ask Ask) (*Answer, error) {
	a := &Answer{Ask: ask, Sent: time.Now()}
	at := *ask.URL
	if q := ask.query(); q != "" {
		at.RawQuery = q
	}
	for {
		a.URL = at.String()
		to, err := a.once(ctx, client)
		if err != nil {
			return nil, fmt.Errorf("get %s: %w", a.URL, err)
		}
		if to == nil || a.Redirects == 5 {
			return a, nil
		}
		a.Redirects++
		at = *to
	}
}

// once asks the address a.URL and returns where it is sent on to, if it is.
func (a *Answer) once(ctx context.Context, client http.RoundTripper) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return nil, err
	}
	// Set by hand, or the transport would unzip behind our back.
	req.Header.Set("Accept-Encoding", "gzip")
	if a.Ask.Identity {
		req.Header.Set("Accept-Encoding", "identity")
	}
	req.Header.Set("Origin", "https://player.example")
	req.Header.Set("User-Agent", "hlscheck")
	resp, err := client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a.Status, a.Header, a.First = resp.StatusCode, resp.Header, time.Now()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	a.Body, a.Arrived = body, time.Now()
	if a.Gzip = resp.Header.Get("Content-Encoding") == "gzip"; a.Gzip {
		if err = a.unzip(); err != nil {
			return nil, err
		}
	}
	if resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "" {
		return req.URL.Parse(resp.Header.Get("Location"))
	}
	return nil, nil
}

func (a *Answer) unzip() error {
	r, err := gzip.NewReader(bytes.NewReader(a.Body))
	if err != nil {
		return err
	}
	a.Body, err = io.ReadAll(io.LimitReader(r, maxBody))
	return err
}
