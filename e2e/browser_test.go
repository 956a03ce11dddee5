//go:build e2e || players || reliability

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"
)

var errBrowser = errors.New("browser")

// browser is one Chromium; each page in it is a person of its own.
type browser struct {
	cmd *exec.Cmd
	log output

	mu    sync.Mutex
	stdin io.WriteCloser
	next  int
	calls map[int]chan answer
}

type answer struct {
	ID    int             `json:"id"`
	Value json.RawMessage `json:"value"`
	Error string          `json:"error"`
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), "node", "browser.mjs"), calls: map[int]chan answer{}}
	b.cmd.Stderr = &b.log
	stdin, err := b.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.stdin = stdin
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.answers(stdout)
	}()
	t.Cleanup(func() {
		stdin.Close() // the end of its input is the end of the browser
		<-read
		if err := b.cmd.Wait(); err != nil || t.Failed() {
			t.Logf("browser: %v %s", err, b.log.String())
		}
	})
	return b
}

// answers gives every answer to the call that waits for it.
func (b *browser) answers(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			continue
		}
		b.mu.Lock()
		call := b.calls[a.ID]
		delete(b.calls, a.ID)
		b.mu.Unlock()
		if call != nil {
			call <- a
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, call := range b.calls {
		close(call)
	}
	b.calls = nil
}

// do asks for one operation and waits for its answer.
func (b *browser) do(ctx context.Context, op string, request map[string]any) (json.RawMessage, error) {
	call := make(chan answer, 1)
	b.mu.Lock()
	if b.calls == nil {
		b.mu.Unlock()
		return nil, fmt.Errorf("%w: has ended: %s", errBrowser, b.log.String())
	}
	b.next++
	request["id"], request["op"] = b.next, op
	b.calls[b.next] = call
	err := json.NewEncoder(b.stdin).Encode(request)
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case a, ok := <-call:
		if !ok {
			return nil, fmt.Errorf("%w: ended: %s", errBrowser, b.log.String())
		}
		if a.Error != "" {
			return nil, fmt.Errorf("%w: %s: %s", errBrowser, op, a.Error)
		}
		return a.Value, nil
	case <-limit.C:
		return nil, fmt.Errorf("%w: %s: no answer", errBrowser, op)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// page is one person's tab.
type page struct {
	b     *browser
	name  string
	frame string // part of the address of a frame in it; "" = the page itself
}

// in is the frame of the page whose address contains part.
func (p page) in(part string) page {
	p.frame = part
	return p
}

// open goes to url as a new person.
func (b *browser) open(t *testing.T, name, url string) page {
	t.Helper()
	return b.openAs(t, name, url, map[string]any{})
}

// openAs is open for a person with a screen or wishes of their own: width, height, locale, reducedMotion.
func (b *browser) openAs(t *testing.T, name, url string, person map[string]any) page {
	t.Helper()
	p := page{b: b, name: name}
	person["url"] = url
	p.must(t, "open", person)
	return p
}

func (p page) must(t *testing.T, op string, request map[string]any) {
	t.Helper()
	request["page"] = p.name
	if _, err := p.b.do(t.Context(), op, request); err != nil {
		t.Fatalf("page %s: %v", p.name, err)
	}
}

// eval runs code in the page and stores its value in into.
func (p page) eval(ctx context.Context, code string, into any) error {
	value, err := p.b.do(ctx, "eval", map[string]any{"page": p.name, "code": code, "frame": p.frame})
	if err != nil {
		return err
	}
	return json.Unmarshal(value, into)
}

func (p page) fill(t *testing.T, selector, text string) {
	t.Helper()
	p.must(t, "fill", map[string]any{"selector": selector, "text": text})
}

func (p page) press(t *testing.T, selector, key string) {
	t.Helper()
	p.must(t, "press", map[string]any{"selector": selector, "text": key})
}

func (p page) screenshot(t *testing.T, path string) {
	t.Helper()
	p.must(t, "screenshot", map[string]any{"path": path})
}

// calm fails the test when the page threw or the browser complained.
func (p page) calm(t *testing.T) {
	t.Helper()
	value, err := p.b.do(t.Context(), "problems", map[string]any{"page": p.name})
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	if err = json.Unmarshal(value, &problems); err != nil || len(problems) > 0 {
		t.Errorf("page %s: %q, %v", p.name, problems, err)
	}
}

// text returns the visible text of the first element that matches selector; it is
// an error when there is none or it is hidden.
func (p page) text(ctx context.Context, selector string) (string, error) {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return "", err
	}
	var text *string
	code := fmt.Sprintf(`(() => { const e = document.querySelector(%s); return e && e.checkVisibility() ? e.innerText : null })()`, quoted)
	if err = p.eval(ctx, code, &text); err != nil {
		return "", err
	}
	if text == nil {
		return "", fmt.Errorf("%w: page %s shows no %s", errBrowser, p.name, selector)
	}
	return *text, nil
}
