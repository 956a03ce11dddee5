package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"barrage/ingest/guard"

	"github.com/yutopp/go-rtmp"
	"github.com/yutopp/go-rtmp/message"
)

// session is what go-rtmp and the guard call for one connection. Everything runs
// on that connection's read goroutine.
type session struct {
	rtmp.DefaultHandler

	server *Server
	conn   *conn
	guard  *guard.Conn
	rtmp   *rtmp.Conn
	log    *slog.Logger

	app, tcURL, client string

	pub      *publication // nil while not publishing
	end      end          // set by whoever ends the connection from a handler
	err      error        // the details of end
	warnings int          // of go-rtmp, logged so far
	failure  string       // why go-rtmp gave up
}

func newSession(s *Server, c *conn) *session {
	session := &session{server: s, conn: c, log: s.log.With("remote", c.remote.String())}
	session.guard = guard.New(c, guard.Options{
		Codecs:  guard.Codecs{Video: carriedVideo(), Audio: carriedAudio()},
		Await:   c.water.await,
		Buffers: &s.buffers,
		Dropped: s.metrics.ignore,
		Now:     s.now,
		Media:   session.media,
	})
	return session
}

// FourCCs of what package flv carries.
func carriedVideo() []string { return []string{"avc1", "hvc1"} }
func carriedAudio() []string { return []string{"mp4a", ".mp3"} }

// chunkStreamStatus is that of our own onStatus messages: the one that go-rtmp
// answers on, because messages on different ones may overtake each other.
const chunkStreamStatus = 3

// maxClientName bounds what an encoder may call itself.
const maxClientName = 64

// OnServe is called when the handshake is done. go-rtmp does not recover here,
// so nothing in it may fail.
func (s *session) OnServe(c *rtmp.Conn) {
	s.rtmp = c
	s.conn.enter(phaseConnect)
}

// OnConnect answers the connect command.
func (s *session) OnConnect(_ uint32, cmd *message.NetConnectionConnect) error {
	s.app, s.tcURL = cmd.Command.App, cmd.Command.TCURL
	s.client = printableName(cmd.Command.FlashVer)
	return nil
}

// write sends a message. go-rtmp shares its encoder between writes: only
// handlers may call this.
func (s *session) write(chunkStream int, stream uint32, m message.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.server.config.Timeouts.Write)
	defer cancel()
	return s.rtmp.Write(ctx, chunkStream, 0, &rtmp.ChunkMessage{StreamID: stream, Message: m})
}

// status sends an onStatus of level error. Nothing is sent on a connection that
// we closed: a first write on a chunk stream that fails makes go-rtmp wait 3 s
// for it when it closes.
func (s *session) status(stream uint32, code, description string) {
	if s.conn.kicked.Load() != nil {
		return
	}
	body := newStatusBody(code, description)
	err := s.write(chunkStreamStatus, stream, &message.CommandMessage{
		CommandName: "onStatus", Encoding: message.EncodingTypeAMF0, Body: body,
	})
	if err != nil {
		s.log.Debug("status not sent", "code", code, "err", err)
	}
}

// OnPublish decides. go-rtmp sends NetStream.Publish.Start after it returned
// nil, and after an error a status of its own and the end of the connection.
func (s *session) OnPublish(c *rtmp.StreamContext, _ uint32, cmd *message.NetStreamPublish) error {
	if s.pub != nil {
		return s.fail(endProtocol, errors.New("publish on a connection that publishes already"))
	}
	p, no := s.publish(cmd.PublishingName)
	if no != nil {
		s.refuse(c.StreamID, no)
		return s.fail(endRefused, no)
	}
	p.stream = c.StreamID
	s.pub = p
	s.conn.enter(phaseMedia)
	s.server.conns.publishing(s.conn)
	s.server.rooms.accepted(p.room)
	s.server.metrics.publishes.WithLabelValues(resultAccepted).Inc()
	s.server.metrics.publishers.Inc()
	p.log.Info("publisher connected", "client", s.client)
	return nil
}

// publish goes from a name to a room's sink, or says why not.
func (s *session) publish(name string) (*publication, *refusal) {
	room, no := s.authorise(name)
	if no != nil {
		return nil, no
	}
	p := newPublication(room, s)
	tookOver, err := s.server.rooms.take(p, s.server.stopping)
	if err == nil {
		p.sink, err = s.server.attach(room)
	}
	if err != nil {
		s.server.rooms.release(p)
		return nil, &refusal{code: codeBadName, result: resultBusy, room: room, err: err}
	}
	if tookOver {
		s.server.metrics.takeovers.Inc()
		p.log.Info("took over the room from its previous publisher")
	}
	if s.server.session != nil {
		p.monitor.reconnected(s.server.rooms.attached(room, s.server.session(room)))
	}
	return p, nil
}

// refuse tells the encoder, the log and the studio.
func (s *session) refuse(stream uint32, no *refusal) {
	srv := s.server
	srv.metrics.publishes.WithLabelValues(no.result).Inc()
	if no.delay > 0 {
		s.wait(no.delay)
	}
	s.status(stream, no.code, no.Error())
	s.log.Warn("publish refused", "room", no.room, "code", no.code, "reason", no.Error(), "client", s.client, "hint", no.hint)
	if srv.knows(no.room) {
		srv.rooms.refuse(no.room, Refusal{
			At: srv.now().UnixMilli(), Code: no.code, Reason: no.Error(), Remote: s.conn.remote.Addr().String(),
		})
	}
}

// wait holds up a wrong key's answer; a stopping server does not wait for it.
func (s *session) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.server.stopping:
	}
}

// fail notes why a handler ends the connection.
func (s *session) fail(why end, err error) error {
	if s.end == "" {
		s.end, s.err = why, err
	}
	return err
}

// OnPlay refuses players: this server speaks HLS to them.
func (s *session) OnPlay(*rtmp.StreamContext, uint32, *message.NetStreamPlay) error {
	return s.fail(endRefused, errors.New("playing over RTMP is not served: open the room's page"))
}

// OnFCUnpublish is OBS's and ffmpeg's first word of goodbye.
func (s *session) OnFCUnpublish(uint32, *message.NetStreamFCUnpublish) error {
	s.unpublish(true, endUnpublished, nil)
	return nil
}

// OnDeleteStream is the second, and GStreamer's only one.
func (s *session) OnDeleteStream(_ uint32, cmd *message.NetStreamDeleteStream) error {
	if s.pub != nil && s.pub.stream == cmd.StreamID {
		s.unpublish(true, endUnpublished, nil)
	}
	return nil
}

// OnUnknownCommandMessage gets, among others, closeStream.
func (s *session) OnUnknownCommandMessage(_ uint32, cmd *message.CommandMessage) error {
	if cmd.CommandName == "closeStream" {
		s.unpublish(true, endUnpublished, nil)
	}
	return nil
}

// media takes in what the publisher sends; the guard calls it past go-rtmp.
func (s *session) media(kind guard.Kind, timestamp uint32, payload []byte) error {
	p := s.pub
	if p == nil { // behind the encoder's own goodbye
		return nil
	}
	if kind == guard.KindData {
		p.metadata(payload)
		return nil
	}
	s.conn.touch()
	err := p.message(kind, timestamp, payload)
	if err == nil {
		return nil
	}
	s.server.metrics.publishes.WithLabelValues(resultRejected).Inc()
	s.status(p.stream, codeRejected, err.Error())
	s.server.rooms.refuse(p.room, Refusal{
		At: s.server.now().UnixMilli(), Code: codeRejected, Reason: err.Error(), Remote: s.conn.remote.Addr().String(),
	})
	return s.fail(endMedia, err)
}

// OnClose is the last thing that happens on the read goroutine, whatever ended
// it. go-rtmp neither recovers here nor may its Close be called from here.
func (s *session) OnClose() {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic while closing a connection", "err", r)
		}
	}()
	why, err := s.ended()
	s.server.metrics.ended.WithLabelValues(string(why)).Inc()
	if s.pub != nil {
		s.unpublish(false, why, err)
		return
	}
	s.log.Debug("connection closed", "reason", string(why), "err", err)
}

// ended says why the connection ends: what we did comes before what we saw.
func (s *session) ended() (end, error) {
	why := s.conn.ended()
	fault := s.guard.Err()
	switch {
	case s.conn.kicked.Load() != nil:
		return why, nil
	case s.end != "": // before the fault: the guard has the error of media, too
		return s.end, s.err
	case errors.Is(fault, guard.ErrNotRTMP):
		return endNotRTMP, fault
	case fault != nil:
		return endProtocol, fault
	case why == endProtocol && s.failure != "":
		return why, errors.New(s.failure)
	case why == endNetwork:
		return why, s.conn.fault()
	}
	return why, nil
}

// unpublish lets go of the room and says in one line what the publishing was.
func (s *session) unpublish(clean bool, why end, err error) {
	p := s.pub
	if p == nil {
		return
	}
	s.pub = nil
	s.server.metrics.publishers.Dec()
	defer s.server.rooms.release(p) // whatever the sink does, the room gets free
	args := []any{
		"reason", string(why), "dur", s.server.now().Sub(p.monitor.start).Round(time.Millisecond),
		"bytes", p.bytes, "count", p.samples,
	}
	if err != nil {
		args = append(args, "err", err)
	}
	log := p.log.Info
	if why == endMedia { // we sent it away, and a fast encoder does not read why
		log = p.log.Warn
	}
	log("publisher disconnected", args...)
	p.sink.Detach(clean)
	if clean {
		s.conn.enter(phaseConnect) // it may publish again, or go
	}
}

const maxLibraryWarnings = 4

func (s *session) libraryWarning(text string) {
	if s.warnings++; s.warnings <= maxLibraryWarnings {
		s.log.Warn("odd message from an encoder", "reason", text)
	}
}

func (s *session) libraryFailed(text string) { s.failure = text }

// Status codes of a refused publish. OBS prints the description of these and
// does not try again on its first connection.
const (
	codeDenied   = "NetStream.Publish.Denied"
	codeBadName  = "NetStream.Publish.BadName"
	codeRejected = "NetStream.Publish.Rejected"
)

// refusal is why a publish request was not accepted.
type refusal struct {
	code   string
	result string // label of the metric
	room   string // what the key claims to be for, unproven; "" if unknown
	err    error  // the sentence for the anchor
	hint   string // for the operator
	delay  time.Duration
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// fingerprint names a key in a log without giving it away.
func fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("key fingerprint %s", hex.EncodeToString(sum[:4]))
}

// newStatusBody encodes the arguments of onStatus.
func newStatusBody(code, description string) io.Reader {
	body := new(bytes.Buffer)
	// Encoding fails on types that AMF0 does not know; these are strings.
	_ = message.EncodeBodyAnyValues(message.NewAMFEncoder(body, message.EncodingTypeAMF0), &message.NetStreamOnStatus{
		InfoObject: message.NetStreamOnStatusInfoObject{
			Level: message.NetStreamOnStatusLevelError, Code: message.NetStreamOnStatusCode(code), Description: description,
		},
	})
	return body
}

func printableName(s string) string {
	n := 0
	return strings.Map(func(c rune) rune {
		if n++; n > maxClientName || !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, s)
}
