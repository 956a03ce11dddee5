package ingest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"barrage/ingest/auth"
	"barrage/internal/slug"
)

// address is what the address of a publisher says.
type address struct {
	key  string
	room string // the room named beside the key, "" if none is
}

// Errors of parseAddress, for the anchor's eyes.
var (
	errNoKey   = errors.New("no stream key: type it into the encoder's stream key field")
	errBadForm = errors.New("the stream key has characters that no key has: copy it again")
)

// parseAddress finds the stream key in the parts of an RTMP address: the app and
// tcUrl of connect and the name of publish. The positions, for server
// rtmp://HOST/live:
//
//	app "live",     name KEY             what OBS and ffmpeg send
//	app "live/KEY", name ""              encoders with one address field
//	app "live",     name "ROOM?key=KEY"
//	app "live?key=KEY", name "" or ROOM  (or the query in tcUrl only)
//
// App and name may be nested: the last part of "ROOM/KEY" counts, in app
// "live/ROOM/KEY" too; a client that keeps the path in tcUrl only is asked there.
// A query in the name wins over one in app, and that over tcUrl.
func parseAddress(app, tcURL, name string) (address, error) {
	path, appQuery, _ := strings.Cut(app, "?")
	name, nameQuery, _ := strings.Cut(name, "?")
	_, urlQuery, _ := strings.Cut(tcURL, "?")
	name = bareName(name)
	var a address
	switch key := firstKey(nameQuery, appQuery, urlQuery); {
	case key != "":
		a = address{key: key, room: name}
	case name != "":
		a.key = name
	default:
		// All in one field: "live/KEY" and gortmplib's "live/room/KEY".
		if a.key = nestedKey(path); a.key == "" {
			a.key = nestedKey(urlPath(tcURL))
		}
	}
	if a.key == "" {
		return address{}, errNoKey
	}
	if len(a.key) > auth.MaxKeyLength || strings.IndexFunc(a.key, unprintable) >= 0 {
		return address{}, errBadForm
	}
	return a, nil
}

// nestedKey is the last part of a path of at least two: the first is the app.
func nestedKey(path string) string {
	path = strings.Trim(path, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return bareName(path[i+1:])
	}
	return ""
}

// urlPath is what comes behind the host of an RTMP URL.
func urlPath(tcURL string) string {
	_, rest, _ := strings.Cut(tcURL, "://")
	_, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	return path
}

func unprintable(c rune) bool { return c <= ' ' || c > '~' }

func firstKey(queries ...string) string {
	for _, q := range queries {
		values, err := url.ParseQuery(q)
		if key := values.Get("key"); err == nil && key != "" {
			return key
		}
	}
	return ""
}

// bareName takes off what encoders put around a name: ffmpeg publishes KEY.mp4
// as "mp4:KEY.mp4"; others ask for "flv:KEY" or "KEY.flv", or put the room before it.
func bareName(name string) string {
	name = strings.Trim(name, "/")
	for _, prefix := range []string{"mp4:", "flv:", "mp3:"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name = strings.TrimSuffix(rest, "."+strings.TrimSuffix(prefix, ":"))
			break
		}
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.TrimSuffix(name, ".flv")
}

// errOtherRoom refuses a good key for another room than the address names.
var errOtherRoom = errors.New("the stream key is for another room than the address says")

// authorise finds the room that a publish request may have.
func (s *session) authorise(name string) (room string, no *refusal) {
	a, err := parseAddress(s.app, s.tcURL, name)
	if err != nil {
		return "", &refusal{code: codeDenied, result: resultDenied, err: err, hint: "the server field is rtmp://HOST/live"}
	}
	room, err = s.server.verify(a.key)
	if err == nil && a.room != "" && a.room != room {
		err = errOtherRoom
	}
	if err != nil {
		return "", s.denied(a.key, err)
	}
	return room, nil
}

// verify returns the room that key opens.
func (s *Server) verify(key string) (string, error) {
	if s.config.Auth.Mode == AuthOpen {
		if err := slug.Check(key); err != nil {
			return "", fmt.Errorf("the stream key is the name of a room here: %w", err)
		}
		return key, nil
	}
	room, err := s.keys.Verify(key, s.now())
	if problem := s.keys.Problem(); problem != nil {
		s.log.Error("stream keys file not readable, the keys read before stay in force", "err", problem)
	}
	return room, err
}

// denied refuses a key, slower the more of them came from the same address.
func (s *session) denied(key string, err error) *refusal {
	no := &refusal{
		code: codeDenied, result: resultDenied, room: auth.Claimed(key), err: err,
		delay: s.server.backoff.Fail(s.conn.remote.Addr(), s.server.now()),
	}
	no.hint = fingerprint(key)
	if no.room != "" {
		no.hint += "; a good key is printed by: barrage key " + no.room
	}
	return no
}

// knows reports whether room is one of ours, so that a stranger's guesses fill
// no memory.
func (s *Server) knows(room string) bool {
	if room == "" {
		return false
	}
	return s.keys == nil || slices.Contains(s.keys.Rooms(), room)
}
