package segment_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"barrage/chat/internal/segment"
	"barrage/chat/internal/wire"
)

const t0 int64 = 1_790_000_000_000

// disk is a segment.Disk in RAM.
type disk map[int64][]byte

func (d disk) Segment(t int64) []byte { return d[t] }

func (d disk) Segments(from int64) (all []int64) {
	for t := range d {
		if t >= from {
			all = append(all, t)
		}
	}
	return all
}

// save does what an archive does.
func (d disk) save(s *segment.Shelf) (saved []int64) {
	for _, seg := range s.Dirty() {
		v := seg.View()
		d[seg.T] = v.Body
		s.Saved(seg.T, v)
		saved = append(saved, seg.T)
	}
	return saved
}

func comment(id string, pdt int64) []byte {
	return wire.AppendComment(nil, wire.Comment{ID: id, PDT: pdt, Author: "who \"" + id[:1], Nick: "n", Text: "hi", Mode: "scroll", Color: "#ffffff", Role: "viewer"})
}

// body is what a segment with these comments looks like; id or id×total.
func body(t int64, pdts map[string]int64, said ...string) string {
	var c, k []string
	for _, s := range said {
		id, total, combo := strings.Cut(s, "×")
		c = append(c, string(comment(id, pdts[id])))
		if combo {
			k = append(k, fmt.Sprintf("[%q,%s]", id, total))
		}
	}
	return fmt.Sprintf(`{"t":%d,"c":[%s],"k":[%s]}`, t, strings.Join(c, ","), strings.Join(k, ","))
}

func wantView(t *testing.T, s *segment.Shelf, at int64, want string) {
	t.Helper()
	v, ok := s.View(at)
	if want == "" {
		if ok {
			t.Errorf("segment %d is %s, want unknown", at, v.Body)
		}
		return
	}
	if !ok || string(v.Body) != want {
		t.Errorf("segment %d:\n got %v %s\nwant %s", at, ok, v.Body, want)
	}
}

func TestStart(t *testing.T) {
	for pdt, want := range map[int64]int64{t0: t0, t0 + 9999: t0, t0 + 10_000: t0 + 10_000, t0 - 1: t0 - 10_000, -1: -10_000, 0: 0} {
		if got := segment.Start(pdt); got != want {
			t.Errorf("Start(%d) = %d, want %d", pdt, got, want)
		}
	}
}

func TestShelf(t *testing.T) {
	pdts := map[string]int64{"a": t0 + 5, "b": t0 + 9999, "c": t0 + 10_000, "d": t0, "late": t0 + 7}
	s := segment.NewShelf(nil)
	s.Floor = t0 - 10_000
	for _, id := range []string{"a", "b", "c", "a", "d"} { // a comes twice
		s.Add(comment(id, pdts[id]))
	}
	s.Add([]byte(`["no comment"]`))
	s.Count("b", 3)
	s.Count("b", 2) // an older count
	s.Count("nobody", 9)
	wantView(t, s, t0, body(t0, pdts, "a", "b×3", "d"))
	wantView(t, s, t0+10_000, body(t0+10_000, pdts, "c"))
	wantView(t, s, t0+20_000, body(t0+20_000, pdts))
	wantView(t, s, t0-10_000, body(t0-10_000, pdts))
	wantView(t, s, t0-20_000, "")

	first, _ := s.View(t0)
	if again, _ := s.View(t0); again != first {
		t.Error("a segment that did not change was rendered twice")
	}
	s.Delete(segment.Deletion{IDs: []string{"b", "late"}}, 0)
	s.Add(comment("late", pdts["late"]))
	s.Add(comment("b", pdts["b"]))
	wantView(t, s, t0, body(t0, pdts, "a", "d"))
	if v, _ := s.View(t0); v.ETag == first.ETag {
		t.Errorf("both versions have the ETag %s", v.ETag)
	}
	s.Delete(segment.Deletion{Who: `who "a`}, 0)
	wantView(t, s, t0, body(t0, pdts, "d"))
	s.Drop(t0+10_000, false)
	wantView(t, s, t0, "")
	wantView(t, s, t0+10_000, body(t0+10_000, pdts, "c"))
}

func TestShelfOnDisk(t *testing.T) {
	pdts := map[string]int64{"a": t0 + 5, "b": t0 + 6, "c": t0 + 10_000, "x": t0 + 8}
	d := disk{}
	s := segment.NewShelf(d)
	s.Add(comment("a", pdts["a"]))
	s.Count("a", 4)
	s.Drop(t0+20_000, true)
	if got := d.save(s); !slices.Equal(got, []int64{t0}) {
		t.Errorf("saved %d, want the one that may not be dropped yet", got)
	}
	if got := d.save(s); got != nil {
		t.Errorf("saved %d again", got)
	}
	s.Drop(t0+20_000, true)
	wantView(t, s, t0, body(t0, pdts, "a×4"))
	s.Add(comment("b", pdts["b"])) // comes late
	s.Add(comment("a", pdts["a"]))
	s.Count("a", 5)
	wantView(t, s, t0, body(t0, pdts, "a×5", "b"))
	d.save(s)

	again := segment.NewShelf(d) // another process
	again.Add(comment("x", pdts["x"]))
	wantView(t, again, t0, body(t0, pdts, "a×5", "b", "x"))
	d.save(again)
	again.Drop(t0+20_000, true)
	again.Delete(segment.Deletion{IDs: []string{"a"}}, t0-1)
	wantView(t, again, t0, body(t0, pdts, "b", "x"))
	if got := d.save(again); !slices.Equal(got, []int64{t0}) {
		t.Errorf("saved %d after a deletion, want %d", got, t0)
	}
	d[t0+10_000] = []byte("{broken")
	again.Add(comment("c", pdts["c"]))
	wantView(t, again, t0+10_000, body(t0+10_000, pdts, "c"))
}

func TestShelfIsBounded(t *testing.T) {
	s := segment.NewShelf(nil)
	long := strings.Repeat("草", 200)
	for i := range 20_000 {
		at := t0 + int64(i)*20
		s.Add(wire.AppendComment(nil, wire.Comment{ID: fmt.Sprint("i", i), PDT: at, Text: long, Mode: "scroll"}))
	}
	s.Drop(t0, true)
	// 20,000 comments in 400 s have 13 MiB: the oldest third goes.
	if gone := s.Floor - t0; gone < 120_000 || gone > 200_000 {
		t.Errorf("the oldest %d ms were dropped", gone)
	}
	wantView(t, s, t0, "")
}

func TestGzip(t *testing.T) {
	small := segment.Empty(t0)
	if small.Gzip != nil {
		t.Errorf("%d bytes were compressed", len(small.Body))
	}
	s := segment.NewShelf(nil)
	for i := range 100 {
		s.Add(comment(fmt.Sprint("c", i), t0))
	}
	v, _ := s.View(t0)
	z, err := gzip.NewReader(bytes.NewReader(v.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(got, v.Body) || len(v.Gzip)*4 > len(v.Body) {
		t.Errorf("%d bytes became %d, then %d, %v", len(v.Body), len(v.Gzip), len(got), err)
	}
}
