package peer_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"barrage/e2e/hlscheck"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// handler serves requests without a network.
type handler struct{ http.Handler }

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); h.ServeHTTP(w, r) }()
	select {
	case <-done:
		resp := w.Result()
		resp.Request = r
		return resp, nil
	case <-r.Context().Done():
		return nil, errors.Join(errNoAnswer, r.Context().Err())
	}
}

var errNoAnswer = errors.New("no answer")

// TestPartTargetOfAPeerChanges feeds gohlslib what OBS sends, 30 pictures a second
// with times in milliseconds, of which one is skipped because the encoder was busy,
// and expects the checker to find what makes players of Apple give up.
func TestPartTargetOfAPeerChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sps := unhex(t, "6742c028d900780227e584000003000400000300f03c60c920") // no B-frames
		pps := unhex(t, "68ce0fc8")
		video := &gohlslib.Track{Codec: &codecs.H264{SPS: sps, PPS: pps}, ClockRate: 90000}
		audio := &gohlslib.Track{Codec: &codecs.MPEG4Audio{Config: mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelCount: 2}}, ClockRate: 48000}
		mux := &gohlslib.Muxer{
			Tracks: []*gohlslib.Track{video, audio}, Variant: gohlslib.MuxerVariantLowLatency,
			OnEncodeError: func(err error) { t.Log("gohlslib:", err) },
		}
		if err := mux.Start(); err != nil {
			t.Fatal(err)
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			if err := publish(mux, video, audio, stop, [2][]byte{sps, pps}); err != nil {
				t.Error(err)
			}
		}()
		result, err := hlscheck.Watch(t.Context(), hlscheck.Options{
			URL: "http://peer.test/index.m3u8", For: 40 * time.Second, Transport: handler{http.HandlerFunc(mux.Handle)},
		})
		close(stop)
		<-stopped
		mux.Close()
		synctest.Wait()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err = result.Print(&b); err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + b.String())
		for _, broken := range result.Violated(hlscheck.Must) {
			if broken.Rule.Name == "part-target-constant" {
				return
			}
		}
		t.Error("part-target-constant was not found broken")
	})
}

// skipped is the picture that the encoder leaves out, after seven seconds.
const skipped = 210

// publish sends pictures at 33, 33 and 34 ms and the sound between, until stop.
func publish(mux *gohlslib.Muxer, video, audio *gohlslib.Track, stop <-chan struct{}, sets [2][]byte) error {
	start := time.Now()
	for picture, sound := 0, 0; ; picture++ {
		at := time.Duration(picture*1000/30) * time.Millisecond
		select {
		case <-stop:
			return nil
		case <-time.After(at - time.Since(start)):
		}
		au := [][]byte{append([]byte{0x41, 0x9a}, fmt.Appendf(nil, "picture %d", picture)...)}
		if picture%60 == 0 {
			au = [][]byte{sets[0], sets[1], append([]byte{0x65, 0x88}, fmt.Appendf(nil, "picture %d", picture)...)}
		}
		if picture == skipped {
			continue
		}
		if err := mux.WriteH264(video, start.Add(at), at.Milliseconds()*90, au); err != nil {
			return err
		}
		for ; time.Duration(sound)*1024*time.Second/48000 <= at; sound++ {
			ms := time.Duration(sound*1024*1000/48000) * time.Millisecond
			if err := mux.WriteMPEG4Audio(audio, start.Add(ms), ms.Milliseconds()*48, [][]byte{fmt.Appendf(nil, "sound %d", sound)}); err != nil {
				return err
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
