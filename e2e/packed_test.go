//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTransportStreamPlays compares MPEG-TS with fMP4 over the same segments, and plays it.
func TestTransportStreamPlays(t *testing.T) {
	t.Parallel()
	s := serve(t)
	publish(t, s.publishURL(t), card{})
	s.waitPhase(t, "live", 15*time.Second)
	url := s.url("/hls/" + room + "/ts.m3u8")
	folder := s.url("/hls/" + room + "/")
	dir := t.TempDir()
	fetch := func(uri string) []byte {
		b, err := get(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	epoch, _, _ := strings.Cut(variant(string(fetch(url))), "/")
	folder += epoch + "/"
	var uris []string
	eventually(t, 40*time.Second, "eight segments are listed", func() error {
		list := string(fetch(folder + "ts.m3u8"))
		uris = uris[:0]
		for line := range strings.Lines(list) {
			if !strings.HasPrefix(line, "#") {
				uris = append(uris, strings.TrimSpace(line))
			}
		}
		if len(uris) < 8 {
			return fmt.Errorf("%d segments in\n%s", len(uris), list)
		}
		return nil
	})
	files := map[string][]byte{"v0": fetch(folder + "v0/init-1.mp4"), "a0": fetch(folder + "a0/init-1.mp4")}
	for _, uri := range uris {
		files["ts"] = append(files["ts"], fetch(folder+uri)...)
		for _, name := range []string{"v0", "a0"} {
			files[name] = append(files[name], fetch(folder+strings.NewReplacer("ts/", name+"/", ".ts", ".m4s").Replace(uri))...)
		}
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packets := func(file, stream string) int {
		out, err := tool(t.Context(), "ffprobe", "-v", "error", "-count_packets", "-select_streams", stream,
			"-show_entries", "stream=nb_read_packets", "-of", "default=nw=1:nk=1", filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.Fields(out)[0])
		if err != nil {
			t.Fatalf("ffprobe says %q", out)
		}
		return n
	}
	for stream, name := range map[string]string{"v": "v0", "a": "a0"} {
		got, want := packets("ts", stream), packets(name, stream)
		t.Logf("%d segments: %d packets of %s", len(uris), got, name)
		if got != want || want < 200 {
			t.Errorf("%d packets of %s, want the %d of fMP4", got, name, want)
		}
	}
	// A counter that does not follow makes ffmpeg call the packet corrupt.
	if out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-v", "warning", "-i", filepath.Join(dir, "ts"), "-f", "null", "-"); err != nil || out != "" {
		t.Errorf("ffmpeg says %v %s", err, out)
	}
	inSync(t, filepath.Join(dir, "ts"))

	played := filepath.Join(dir, "played.mkv")
	if out, err := tool(t.Context(), "ffmpeg", "-nostdin", "-v", "warning", "-i", url, "-t", "7", "-c", "copy", played); err != nil || strings.Contains(out, "orrupt") {
		t.Fatalf("record: %v %s", err, out)
	}
	inSync(t, played)
}
