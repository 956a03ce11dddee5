package packager_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/packager"
)

// restarted publishes for a while, ends the process one way or the other, and returns
// what the room was before.
func (m *host) restarted(end func(), away time.Duration) (before packager.Status, folder string, lists map[string]list) {
	m.t.Helper()
	m.publish(7300 * time.Millisecond)
	synctest.Wait() // the record is written
	before, folder, lists = m.stream.Status(), m.folder(), map[string]list{}
	for _, name := range []string{"v0", "a0"} {
		lists[name] = readList(m.t, m.body(folder+name+".m3u8"))
	}
	end()
	<-time.After(away)
	m.boot()
	return before, folder, lists
}

// Killed or stopped: session and epoch go on, behind one discontinuity, with a new init
// section, and with numbers that are exact when there was time to write them down.
func TestGoesOnAfterRestart(t *testing.T) {
	for name, c := range map[string]struct {
		kill              bool
		msn, part, breaks int // how far they go on behind those listed last
	}{
		"kill -9": {kill: true, msn: 32, part: 32 * 12, breaks: 8},
		"SIGTERM": {msn: 1},
	} {
		t.Run(name, func(t *testing.T) {
			boots(t, func(m *host) {
				end := m.term
				if c.kill {
					end = m.kill
				}
				before, folder, lists := m.restarted(end, 3*time.Second)
				if now := m.stream.Status(); now.Phase != packager.PhaseAway || now.Session != before.Session || now.Epoch != before.Epoch || now.PDT.Before(before.PDT) {
					t.Errorf("after the restart %+v, before %+v", now, before)
				}
				if index := m.body("/hls/live/index.m3u8"); !strings.Contains(index, before.Epoch+"/v0.m3u8") || !strings.Contains(index, "CODECS=\"avc1.640028,mp4a.40.2\"") {
					t.Errorf("the index:\n%s", index)
				}
				m.publish(9 * time.Second)
				if now := m.stream.Status(); now.Phase != packager.PhaseLive || now.Session != before.Session || now.Epoch != before.Epoch {
					t.Errorf("after the publisher came back %+v, before %+v", now, before)
				}
				for name, old := range lists {
					now := readList(t, m.body(folder+name+".m3u8"))
					first := now.segments[0]
					switch {
					case !c.kill && first.msn != old.lastMSN+c.msn:
						t.Errorf("%s: segment %d after %d", name, first.msn, old.lastMSN)
					case first.msn < old.lastMSN || first.msn > old.lastMSN+c.msn:
						t.Errorf("%s: segment %d after %d, want at most %d more", name, first.msn, old.lastMSN, c.msn)
					case now.discontinuities != c.breaks || !first.discontinuity || now.segments[1].discontinuity:
						t.Errorf("%s: discontinuity sequence %d, first %v, second %v", name, now.discontinuities, first.discontinuity, now.segments[1].discontinuity)
					case now.constant != old.constant:
						t.Errorf("%s: constants\n%s became\n%s", name, old.constant, now.constant)
					case now.maps[0] == old.maps[0]:
						t.Errorf("%s: init section %s again", name, now.maps[0])
					}
					gap := first.pdt.Sub(old.segments[len(old.segments)-1].pdt)
					if gap < 3*time.Second || gap > 6*time.Second {
						t.Errorf("%s: date %v after the newest before the restart", name, gap)
					}
				}
				if n := metric(t, m.room, "barrage_packager_record_errors_total"); n != 0 {
					t.Errorf("%v record errors", n)
				}
			})
		})
	}
}

// What old players ask for while there is no media yet.
func TestAskedWhileAwayAfterRestart(t *testing.T) {
	boots(t, func(m *host) {
		_, folder, lists := m.restarted(m.kill, time.Second)
		msn := lists["v0"].lastMSN
		for _, query := range []string{
			"", fmt.Sprintf("?_HLS_msn=%d&_HLS_part=%d", msn, lists["v0"].lastInside), fmt.Sprintf("?_HLS_msn=%d&_HLS_part=40", msn),
			fmt.Sprintf("?_HLS_msn=%d", msn+20), "?_HLS_msn=1&_HLS_skip=YES",
		} {
			begun := time.Now()
			res := m.get(folder + "v0.m3u8" + query)
			if took := time.Since(begun); res.status != http.StatusServiceUnavailable || took != 1200*time.Millisecond || !strings.Contains(res.body, "the publisher is not back yet") {
				t.Errorf("%q: %d after %v %s, want 503 after 1.2 s", query, res.status, took, res.body)
			}
		}
		for _, p := range lists["v0"].segments[0].parts {
			if res := m.get(folder + p.uri); res.status != http.StatusNotFound {
				t.Errorf("lost %s = %d, want 404", p.uri, res.status)
			}
		}
		for _, uri := range []string{lists["v0"].segments[0].uri, lists["v0"].hint, lists["v0"].maps[0]} {
			if res := m.get(folder + uri); res.status != http.StatusNotFound {
				t.Errorf("lost %s = %d, want 404", uri, res.status)
			}
		}
		for _, name := range []string{"v0", "a0"} {
			e, _ := m.stream.Current()
			rendition, _ := e.Rendition(name)
			for n := range uint64(2000) {
				if rendition.Window().Hinted(n) {
					t.Errorf("%s: part %d is waited for, although it lies behind a discontinuity", name, n)
				}
			}
		}
		// Whoever holds on until the first segment is there gets it at once.
		m.attach()
		m.tracks(videoTrack(t), audioTrack(t))
		src := &source{fps: 30, gop: 60, audio: true}
		src.run(m.room, 1500*time.Millisecond)
		answered := make(chan answer, 1)
		go func() { answered <- m.get(folder + fmt.Sprintf("v0.m3u8?_HLS_msn=%d&_HLS_part=1", msn)) }()
		src.run(m.room, 600*time.Millisecond)
		if res := <-answered; res.status != http.StatusOK || len(readList(t, res.body).segments) == 0 {
			t.Errorf("held over the first segment: %d %s", res.status, res.body)
		}
	})
}

// Players of MPEG-TS go on as the others do.
func TestMuxedAfterRestart(t *testing.T) {
	for name, end := range map[string]func(*host){"kill -9": (*host).kill, "SIGTERM": (*host).term} {
		t.Run(name, func(t *testing.T) {
			boots(t, func(m *host) {
				src := m.publish(3 * time.Second)
				p := newOldPlayer(m.room)
				p.poll()
				index := m.body("/hls/live/ts.m3u8")
				src.run(m.room, 9*time.Second)
				p.poll()
				synctest.Wait()
				end(m)
				<-time.After(2 * time.Second)
				m.boot()
				again := m.body("/hls/live/ts.m3u8")
				variant := func(s string) string { return s[strings.LastIndex(strings.TrimSpace(s), "\n"):] }
				was, is := bandwidth(t, index), bandwidth(t, again)
				if variant(again) != variant(index) || !strings.Contains(again, "CODECS=\"avc1.640028,mp4a.40.2\"") || is < was || is > was*3/2 {
					t.Errorf("the index was\n%s\nand is\n%s", index, again)
				}
				if res := m.get(m.folder() + "ts.m3u8"); res.status != http.StatusServiceUnavailable || !strings.Contains(res.body, "the publisher is not back yet") {
					t.Errorf("the playlist without media: %d %s, want 503", res.status, res.body)
				}
				next := m.publish(5 * time.Second)
				for range 5 {
					p.poll()
					next.run(m.room, 2*time.Second)
				}
				if l := p.poll(); len(l.segments) < 6 || l.discontinuities+l.breaks[0] == 0 {
					t.Errorf("after the publisher is back\n%s", l.text)
				}
			})
		})
	}
}

// A stop leaves playlists open and lets nobody wait.
func TestStopLeavesPlaylistsOpen(t *testing.T) {
	boots(t, func(m *host) {
		m.publish(7300 * time.Millisecond)
		v := watch(t, m.room, "v0")
		v.see(readList(t, m.body(v.base+"v0.m3u8")))
		answered := make(chan answer, 1)
		go func() {
			answered <- m.get(fmt.Sprintf("%sv0.m3u8?_HLS_msn=%d&_HLS_part=%d", v.base, v.now.lastMSN, v.now.lastInside))
		}()
		synctest.Wait()
		begun := time.Now()
		m.term()
		res := <-answered
		if took := time.Since(begun); res.status != http.StatusOK || took != 0 || strings.Contains(res.body, "ENDLIST") {
			t.Errorf("who waited got %d after %v\n%s", res.status, took, res.body)
		}
		if l := readList(t, res.body); len(l.segments) != v.now.lastMSN || l.segments[v.now.lastMSN-1].uri == "" {
			t.Errorf("the growing segment was not published:\n%s", res.body)
		}
		m.boot()
	})
}

// When is there a record, and when not any longer.
func TestRecords(t *testing.T) {
	record := func(m *host, want int, when string) {
		t.Helper()
		if names := m.records(); len(names) != want {
			t.Errorf("%s: records %q, want %d", when, names, want)
		}
	}
	boots(t, func(m *host) {
		record(m, 0, "nothing was ever published")
		m.publish(time.Second)
		record(m, 0, "nothing can be played yet")
		m.stream.Detach(false)
		record(m, 0, "the session has ended before it began")
		src := m.publish(7 * time.Second)
		record(m, 1, "live")
		src.audio = false
		src.run(m.room, 11*time.Second)
		record(m, 0, "another layout is measured")
		src.run(m.room, 5*time.Second)
		record(m, 1, "another epoch")
		m.stream.Detach(true)
		record(m, 1, "waiting for the publisher")
		<-time.After(11 * time.Second)
		record(m, 0, "the session has ended")
		if l := readList(t, m.body(m.folder()+"v0.m3u8")); !l.ended {
			t.Error("a session that has ended has no ENDLIST")
		}
	})
	boots(t, func(m *host) {
		before, folder, _ := m.restarted(m.kill, time.Second)
		<-time.After(59 * time.Second)
		synctest.Wait()
		if st := m.stream.Status(); st.Phase != packager.PhaseAway {
			t.Errorf("phase %s within the grace", st.Phase)
		}
		<-time.After(2 * time.Second)
		record(m, 0, "the publisher did not come back")
		if _, ok := m.reg.Stream("live"); ok || m.get(folder+"v0.m3u8").status != http.StatusNotFound {
			t.Error("the room is still there")
		}
		m.publish(5 * time.Second)
		if now := m.stream.Status(); now.Session == before.Session || now.Epoch == before.Epoch {
			t.Errorf("the next session is %+v, the one before was %+v", now, before)
		}
	})
}

// Files that must not be believed: the server starts without them.
func TestBadRecords(t *testing.T) {
	for name, spoil := range map[string]func(map[string]any){
		"another version":   func(r map[string]any) { r["Version"] = 99 },
		"a path as epoch":   func(r map[string]any) { r["Epoch"] = "../x" },
		"no numbers":        func(r map[string]any) { r["Next"] = nil },
		"no part":           func(r map[string]any) { r["Part"] = 0 },
		"no tracks":         func(r map[string]any) { r["Tracks"] = nil },
		"a track of no use": func(r map[string]any) { r["Tracks"].([]any)[0].(map[string]any)["Config"] = "AAAA" },
		"two minutes old":   func(r map[string]any) { r["Seen"] = time.Now().Add(-2 * time.Minute) },
		"two minutes ahead": func(r map[string]any) { r["Seen"] = time.Now().Add(2 * time.Minute) },
		"no record":         func(r map[string]any) { clear(r) },
	} {
		t.Run(name, func(t *testing.T) {
			boots(t, func(m *host) {
				m.publish(7 * time.Second)
				m.term()
				file := filepath.Join(m.dir, "live.json")
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var r map[string]any
				if err = json.Unmarshal(text, &r); err != nil {
					t.Fatal(err)
				}
				spoil(r)
				if text, err = json.Marshal(r); err == nil {
					err = os.WriteFile(file, text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				m.boot()
				if m.stream != nil || len(m.records()) != 0 {
					t.Errorf("restored %v, records %q", m.stream, m.records())
				}
			})
		})
	}
}

// Another layout than before the restart: another epoch of the same session.
func TestAnotherLayoutAfterRestart(t *testing.T) {
	boots(t, func(m *host) {
		before, folder, _ := m.restarted(m.term, time.Second)
		m.attach()
		m.tracks(videoTrack(t))
		(&source{fps: 30, gop: 60}).run(m.room, 8*time.Second)
		now := m.stream.Status()
		if now.Session != before.Session || now.Epoch == before.Epoch || len(now.Tracks) != 1 {
			t.Errorf("before %+v\nafter %+v", before, now)
		}
		if res := m.get(folder + "v0.m3u8"); res.status != http.StatusNotFound {
			t.Errorf("the epoch of which nothing is left = %d, want 404", res.status)
		}
	})
}

// block lets no record be written any more, and returns what to remove to end that.
func (m *host) block() string {
	m.t.Helper()
	folder := filepath.Join(m.dir, ".live.tmp") // where the next one would be written
	if err := os.MkdirAll(filepath.Join(folder, "x"), 0o700); err != nil {
		m.t.Fatal(err)
	}
	return folder
}

// What a killed process has not finished writing is no record, and does not stay.
func TestUnfinishedRecords(t *testing.T) {
	boots(t, func(m *host) {
		m.publish(7 * time.Second)
		synctest.Wait()
		m.kill()
		for _, name := range []string{".live.tmp", ".gone.tmp", ".not.a.room.tmp", "notes.tmp"} {
			if err := os.WriteFile(filepath.Join(m.dir, name), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.boot()
		left, err := filepath.Glob(filepath.Join(m.dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range left {
			left[i] = filepath.Base(left[i])
		}
		if want := []string{".not.a.room.tmp", "live.json", "notes.tmp"}; !slices.Equal(left, want) || m.stream == nil {
			t.Errorf("the folder holds %q, want %q", left, want)
		}
	})
}

// A publisher that said goodbye is waited for as briefly after a restart as before, one
// whose connection was lost as long.
func TestGraceAfterRestart(t *testing.T) {
	for name, c := range map[string]struct {
		clean, again bool // said goodbye; and came back for a moment, without media
		grace        time.Duration
	}{
		"goodbye":                        {clean: true, grace: 10 * time.Second},
		"lost":                           {grace: time.Minute},
		"goodbye, but back for a moment": {clean: true, again: true, grace: time.Minute},
	} {
		for how, end := range map[string]func(*host){"kill -9": (*host).kill, "SIGTERM": (*host).term} {
			t.Run(name+", "+how, func(t *testing.T) {
				boots(t, func(m *host) {
					m.publish(7 * time.Second)
					m.stream.Detach(c.clean)
					if c.again {
						m.attach()
						m.stream.Detach(false)
					}
					synctest.Wait()
					end(m)
					<-time.After(3 * time.Second)
					m.boot()
					<-time.After(c.grace - time.Second)
					if synctest.Wait(); m.stream.Status().Phase != packager.PhaseAway {
						t.Errorf("phase %s a second before the grace is over", m.stream.Status().Phase)
					}
					<-time.After(2 * time.Second)
					if _, there := m.reg.Stream("live"); there {
						t.Errorf("the session goes on a second after its grace")
					}
				})
			})
		}
	}
}

// The disk takes nothing more: video goes on, the operator hears of it once, and what
// was written before is not believed once its numbers are used up.
func TestDiskRefuses(t *testing.T) {
	boots(t, func(m *host) {
		src := m.publish(7 * time.Second)
		synctest.Wait()
		block := m.block()
		src.run(m.room, 40*time.Second)
		if n := metric(t, m.room, "barrage_packager_record_errors_total"); n < 2 {
			t.Errorf("%v errors counted, want one every five seconds", n)
		}
		if names := m.records(); len(names) != 1 {
			t.Errorf("%q: the record was removed while its numbers were good", names)
		}
		src.run(m.room, 15*time.Second)
		if names := m.records(); len(names) != 0 {
			t.Errorf("%q: the record is there although its numbers are all but used up", names)
		}
		folder := m.folder()
		src.run(m.room, 25*time.Second)
		if l := readList(t, m.body(folder+"v0.m3u8")); l.lastMSN < 40 || l.ended {
			t.Errorf("video stopped at segment %d", l.lastMSN)
		}
		if err := os.RemoveAll(block); err != nil {
			t.Fatal(err)
		}
		src.run(m.room, 6*time.Second)
		if names := m.records(); len(names) != 1 {
			t.Errorf("%q: the record was not written once the disk took it", names)
		}
	})
}

// A session whose numbers cannot be reserved again does not go on, and leaves nothing
// behind in what is counted.
func TestDiskRefusesRestart(t *testing.T) {
	boots(t, func(m *host) {
		m.publish(7 * time.Second)
		synctest.Wait()
		m.block()
		m.kill()
		m.boot()
		if m.stream != nil {
			t.Errorf("the session goes on although its numbers are not reserved: %+v", m.stream.Status())
		}
		for _, name := range []string{"barrage_packager_window_bytes_needed", "barrage_packager_streams"} {
			if n := metric(t, m.room, name); n != 0 {
				t.Errorf("%s = %v, want 0", name, n)
			}
		}
	})
}
