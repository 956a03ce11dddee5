package chat_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/chat"
	"barrage/internal/token"
)

// logged returns the texts of a room's log on disk, in its order.
func logged(t *testing.T, dir, room string) (texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", room, "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var c struct{ ID, CID, Author, Nick, Text, Mode, Color, Role string }
			if err = json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Errorf("%s: line %q: %v", name, lines.Text(), err)
			}
			if c.ID == "" {
				continue
			}
			texts = append(texts, c.Text)
			if c.CID == "" || c.Author == "" || c.Nick == "" || c.Mode != "scroll" || c.Color != "#ffffff" || c.Role != "viewer" {
				t.Errorf("%s: line %q lacks something", name, lines.Text())
			}
		}
		_ = f.Close()
	}
	return texts
}

// inLog counts the batches with comments in the broker's log of the room.
func inLog(t *testing.T, b chat.Broker) (n int) {
	t.Helper()
	entries, err := b.Read(t.Context(), "live", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if bytes.Contains(e.Batch, []byte(`"cid":[`)) {
			n++
		}
	}
	return n
}

// onDisk returns the segments of a room on disk, oldest first.
func onDisk(t *testing.T, dir, room string) (all []string) {
	t.Helper()
	root := os.DirFS(filepath.Join(dir, "segments", room))
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func (p *page) sayAll(from, until int) (texts []string) {
	p.t.Helper()
	for i := from; i < until; i++ {
		text := fmt.Sprint("text ", i)
		p.say(cid(i), text)
		p.ack(cid(i))
		texts = append(texts, text)
	}
	return texts
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // fake time
	synctest.Wait()
}

func TestArchive(t *testing.T) { synctest.Test(t, testArchive) }

func testArchive(t *testing.T) {
	dir := t.TempDir()
	broker := newMemory(t)
	n := start(t, setup{broker: broker, pipes: true, dir: dir})
	p := n.join(t, "live", nil)
	begin := time.Now().UnixMilli()
	want := p.sayAll(0, 200)
	pass(2 * time.Second)
	if got := logged(t, dir, "live"); !slices.Equal(got, want) {
		t.Errorf("after two seconds the log has %d comments: %q, want 200", len(got), got)
	}
	if n := inLog(t, broker); n != 200 {
		t.Errorf("the broker's log has %d entries: trimmed before the segments are whole", n)
	}
	if files := onDisk(t, dir, "live"); len(files) == 0 {
		t.Error("no segment is on disk")
	}
	pass(2 * time.Minute)
	if n := inLog(t, broker); n != 50 {
		t.Errorf("after two minutes the broker's log has %d entries, want the room's history", n)
	}
	seen := 0
	for at := begin; at < begin+60_000; at += span {
		w := n.ask(t, http.MethodGet, segmentPath("live", at))
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "max-age=60" {
			t.Fatalf("segment of %d: %d %v %s", at, w.Code, w.Header(), w.Body)
		}
		seen += len(segmentTexts(t, w.Body.Bytes()))
	}
	if seen != 200 {
		t.Errorf("segments show %d comments, want 200", seen)
	}
	if got := n.metric(t, "comments_archived_total"); got != 200 {
		t.Errorf("archived = %v, want 200", got)
	}
	late := n.join(t, "live", nil)
	if h := late.welcome.History; len(h) != 50 || h[49][4] != "text 199" {
		t.Errorf("history after the trimming: %d %v", len(h), h)
	}
	want = append(want, p.sayAll(200, 210)...)
	n.stop()
	if got := logged(t, dir, "live"); !slices.Equal(got, want) {
		t.Errorf("a stop leaves %d comments in the log, want 210", len(got))
	}

	// A server that knows no such room has what was shown there.
	again := start(t, setup{pipes: true, dir: dir})
	seen = 0
	for at := begin; at < begin+200_000; at += span {
		w := again.ask(t, http.MethodGet, segmentPath("live", at))
		if w.Code == http.StatusOK {
			seen += len(segmentTexts(t, w.Body.Bytes()))
		}
	}
	if seen != 210 {
		t.Errorf("after a restart segments show %d comments, want 210", seen)
	}
}

func TestArchiveOfARoomThatNobodyUses(t *testing.T) { synctest.Test(t, testArchiveUnused) }

func testArchiveUnused(t *testing.T) {
	dir := t.TempDir()
	n := start(t, setup{pipes: true, dir: dir})
	n.join(t, "nothing-said", nil)
	pass(time.Minute)
	if rooms, err := os.ReadDir(filepath.Join(dir, "log")); len(rooms) > 0 {
		t.Errorf("a room in which nothing was said is on disk: %v, %v", rooms, err)
	}
}

func TestArchiveWithoutADisk(t *testing.T) { synctest.Test(t, testArchiveBroken) }

func testArchiveBroken(t *testing.T) {
	dir := t.TempDir()
	broker := newMemory(t)
	inTheWay := filepath.Join(dir, "log", "live")
	if err := os.MkdirAll(filepath.Dir(inTheWay), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, setup{broker: broker, pipes: true, dir: dir})
	p := n.join(t, "live", nil)
	want := p.sayAll(0, 100)
	pass(2 * time.Minute)
	if reason, degraded := n.hub.Degraded(); !degraded || !strings.Contains(reason, "disk") {
		t.Errorf("degraded: %v %q", degraded, reason)
	}
	if n.metric(t, "unarchived_rooms") != 1 {
		t.Error("no metric tells of it")
	}
	if n := inLog(t, broker); n != 100 {
		t.Errorf("%d entries are in the broker's log, want all", n)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	pass(10 * time.Second)
	if reason, degraded := n.hub.Degraded(); degraded || n.metric(t, "unarchived_rooms") != 0 {
		t.Errorf("still degraded: %s", reason)
	}
	if got := logged(t, dir, "live"); !slices.Equal(got, want) {
		t.Errorf("the log has %d comments, want 100", len(got))
	}
	if n := inLog(t, broker); n != 50 {
		t.Errorf("%d entries are in the broker's log, want 50", n)
	}
}

// TestArchiveChangesHands has nodes with disks of their own lead one after the other.
func TestArchiveChangesHands(t *testing.T) { synctest.Test(t, testArchiveHands) }

func testArchiveHands(t *testing.T) {
	broker := newMemory(t)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var want []string
	var nodes []*node
	for _, dir := range dirs {
		nodes = append(nodes, start(t, setup{broker: broker, pipes: true, dir: dir}))
	}
	p := nodes[0].join(t, "live", nil)
	pass(3 * time.Second) // it leads
	for i, n := range nodes {
		want = append(want, p.sayAll(100*i, 100*i+90)...)
		if i+1 < len(nodes) {
			p = nodes[i+1].join(t, "live", nil)
			pass(3 * time.Second)
			want = append(want, p.sayAll(100*i+90, 100*i+100)...) // on one node, led by the other
		}
		n.stop()
	}
	var got []string
	for _, dir := range dirs {
		got = append(got, logged(t, dir, "live")...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("three disks have %d comments, want each of 290 once", len(got))
	}
}

// TestArchiveDropsDoubles logs the same comment twice, as a writer does whose first
// try was refused and yet came through.
func TestArchiveDropsDoubles(t *testing.T) { synctest.Test(t, testArchiveDoubles) }

func testArchiveDoubles(t *testing.T) {
	dir := t.TempDir()
	broker := newMemory(t)
	n := start(t, setup{broker: broker, pipes: true, dir: dir})
	p := n.join(t, "live", nil)
	want := p.sayAll(0, 10)
	entries, err := broker.Read(t.Context(), "live", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err = broker.Append(t.Context(), "live", e.Batch, nil); err != nil {
			t.Fatal(err)
		}
	}
	pass(15 * time.Second)
	if got := logged(t, dir, "live"); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
	if got := n.metric(t, "comments_double_total"); got != 10 {
		t.Errorf("doubles = %v, want 10", got)
	}
}

// TestArchiveIsFinishedByTheNextProcess leaves a log as a killed process does.
func TestArchiveIsFinishedByTheNextProcess(t *testing.T) { synctest.Test(t, testArchiveFinished) }

func testArchiveFinished(t *testing.T) {
	dir := t.TempDir()
	broker := newMemory(t)
	way := newFlaky(broker)
	n := start(t, setup{broker: way, pipes: true, dir: dir})
	p := n.join(t, "live", nil)
	want := p.sayAll(0, 10)
	pass(2 * time.Second)
	way.set(func(f *flaky) { f.readNo = true }) // from here on nothing reaches the disk
	want = append(want, p.sayAll(10, 20)...)
	n.stop()
	if err := os.WriteFile(filepath.Join(dir, "log", "live", ".open"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := logged(t, dir, "live"); len(got) != 10 {
		t.Fatalf("the log has %d comments, want the first 10", len(got))
	}
	start(t, setup{broker: broker, pipes: true, dir: dir})
	pass(15 * time.Second)
	if got := logged(t, dir, "live"); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
	pass(time.Minute)
	if _, err := os.Stat(filepath.Join(dir, "log", "live", ".open")); err == nil {
		t.Error("the log is not closed when the room is")
	}
}

func TestOldCommentsAreRemoved(t *testing.T) { synctest.Test(t, testPrune) }

func testPrune(t *testing.T) {
	dir := t.TempDir()
	n := start(t, setup{pipes: true, dir: dir, config: func(c *chat.Config) { c.Keep = 48 * time.Hour }})
	p := n.join(t, "live", nil)
	p.sayAll(0, 3)
	pass(2 * time.Second)
	p.leave()
	pass(70 * time.Hour)
	if got := logged(t, dir, "live"); len(got) != 3 {
		t.Errorf("%d comments are left after 70 h, want 3: the day they lie in is not two days over", len(got))
	}
	pass(4 * time.Hour)
	if got := logged(t, dir, "live"); len(got) != 0 || len(onDisk(t, dir, "live")) != 0 {
		t.Errorf("%d comments are left after three days and two hours, and segments %v", len(got), onDisk(t, dir, "live"))
	}
}

// TestDeletedCommentsStayAway deletes in RAM and on disk, on two nodes.
func TestDeletedCommentsStayAway(t *testing.T) { synctest.Test(t, testDeleted) }

func testDeleted(t *testing.T) {
	broker := newMemory(t)
	dir := t.TempDir()
	n, other := start(t, setup{broker: broker, pipes: true, dir: dir}), start(t, setup{broker: broker, pipes: true})
	host := n.join(t, "live", badge(t, token.RoleHost, "Anna"))
	a, b := n.join(t, "live", nil), other.join(t, "live", nil)
	begin := time.Now().UnixMilli()
	a.say("1", "old and bad")
	bad := a.ack("1")[1]
	a.say("2", "old and good")
	a.ack("2")
	b.say("1", "old by a pest")
	b.ack("1")
	pass(2 * time.Minute) // by now they are on disk, and off the shelf
	now := time.Now().UnixMilli()
	b.say("2", "new by a pest")
	b.ack("2")
	a.say("3", "new and bad")
	worse := a.ack("3")[1]
	a.say("4", "new and good")
	a.ack("4")
	wantSegment(t, n, begin, "old and bad", "old and good", "old by a pest")

	for _, fields := range []map[string]any{{"ids": []string{bad, worse}}, {"who": b.welcome.You.ID}} {
		if got := host.order("delete", fields); got != "done" {
			t.Fatalf("delete %v: %s", fields, got)
		}
	}
	pass(time.Second)
	wantSegment(t, n, begin, "old and good")
	wantSegment(t, n, now, "new and good")
	wantSegment(t, other, now, "new and good")
	n.stop()
	other.stop()
	again := start(t, setup{pipes: true, dir: dir})
	wantSegment(t, again, begin, "old and good")
	wantSegment(t, again, now, "new and good")
	tombstones := 0
	files, err := filepath.Glob(filepath.Join(dir, "log", "live", "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tombstones += strings.Count(string(text), `"do":"delete"`)
	}
	if tombstones != 2 {
		t.Errorf("the log has %d tombstones, want 2", tombstones)
	}
}
