//go:build reliability

package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestR18Sites asks as the pages of other sites would.
func TestR18Sites(t *testing.T) {
	r := newRow(t, "R18", "pages of other sites: WebSocket, reading with a visitor's cookies, writing")
	s := serve(t, "BARRAGE_CHAT_ALLOWED_ORIGINS=https://fans.example")
	own := "http://" + s.addrs.HTTP
	refused := 0
	for origins, want := range map[string]int{
		"":                             101, // no browser
		own:                            101,
		"https://fans.example":         101,
		"https://FANS.example":         101,
		"https://evil.example":         403,
		"null":                         403,
		"https://fans.example.evil":    403,
		"https://evil.fans.example":    403,
		"http://fans.example":          403,
		"https://fans.example:8443":    403,
		own + ".evil.example":          403,
		"https://fans.example|" + own:  403, // two of them
		"file://":                      403,
		"https://fans.example@evil":    403,
		"https://evil/?" + own:         403,
		"javascript://" + s.addrs.RTMP: 403,
	} {
		var header []string
		for o := range strings.SplitSeq(origins, "|") {
			if o != "" {
				header = append(header, "Origin: "+o)
			}
		}
		c, status, err := knock(t.Context(), s, "127.0.0.1", 0, header...)
		if c != nil {
			c.Close()
		}
		if status != want {
			t.Errorf("WebSocket from %q: %d (%v), want %d", origins, status, err, want)
		}
		if status == http.StatusForbidden {
			refused++
		}
	}
	r.measured("WebSocket: %d origins refused, 4 served", refused)

	const evil = "https://evil.example"
	asked := 0
	for _, path := range []string{"/", "/r/live", "/studio/live", "/chat/v1/rooms", "/api/v1/rooms", "/api/v1/rooms/live", "/api/v1/rooms/live/publish", "/hls/live/index.m3u8"} {
		for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodPut, http.MethodPost} {
			head, status := s.as(t, method, path, map[string]string{
				"Origin": evil, "Cookie": "token=x", "Content-Type": "text/plain", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization",
			})
			asked++
			if head.Get("Access-Control-Allow-Credentials") != "" || head.Get("Access-Control-Allow-Origin") == evil ||
				strings.Contains(strings.ToLower(head.Get("Access-Control-Allow-Headers")), "authorization") {
				t.Errorf("%s %s lets %s in: %v", method, path, evil, head)
			}
			if (method == http.MethodPut || method == http.MethodPost) && status < 400 {
				t.Errorf("%s %s without a token: %d", method, path, status)
			}
			if strings.HasPrefix(path, "/studio") && method == http.MethodGet && !strings.Contains(head.Get("Content-Security-Policy"), "frame-ancestors") {
				t.Errorf("%s may be framed: %v", path, head)
			}
		}
	}
	r.measured("%d requests with a foreign origin and cookies: none may be read with them, none writes", asked)
}

// as sends a request with these headers.
func (s *server) as(t *testing.T, method, path string, header map[string]string) (http.Header, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url(path), strings.NewReader(`{"title":"mine"}`))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only what comes before it counts
	return resp.Header, resp.StatusCode
}

// TestR19Tokens presents what is no token, or no longer one.
func TestR19Tokens(t *testing.T) {
	r := newRow(t, "R19", "tokens that are expired, forged, unsigned, of another room or another kind; one that expires while its bearer talks")
	s := serve(t)
	host := s.command(t, "token", room, "-role", "host")
	soon := s.command(t, "token", room, "-role", "host", "-ttl", "3s")
	stranger := serve(t) // another server, another secret

	talker, err := enterAs(t.Context(), s, soon)
	if err != nil {
		t.Fatalf("a good token: %v", err)
	}
	defer talker.Close()

	code64 := base64.RawURLEncoding.EncodeToString
	bad := map[string]string{
		"another secret":    stranger.command(t, "token", room, "-role", "host"),
		"another room":      s.command(t, "token", "other", "-role", "host"),
		"a stream key":      s.command(t, "key", room),
		"one bit more":      flip(host, len(host)-2),
		"other claims":      flip(host, 8),
		"cut":               host[:len(host)-8],
		"longer":            host + "A",
		"no signature":      strings.SplitAfter(host, ".")[0],
		"alg none":          code64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + code64([]byte(`{"sub":"x","role":"host","room":"live","exp":99999999999}`)) + ".",
		"alg HS256, signed": code64([]byte(`{"alg":"HS256"}`)) + "." + code64([]byte(`{"sub":"x","role":"host"}`)) + "." + code64(make([]byte, 32)),
		"not a token":       "null",
		"dots":              "..",
		"three kilobytes":   strings.Repeat("A", 3000),
	}
	for what, text := range bad {
		s.refuses(t, what, text)
	}
	r.measured("%d refused by chat (4003) and by the API (401, 403)", len(bad))

	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(host, ".")[0])
	if err == nil && strings.Contains(string(claims), "secret") {
		t.Errorf("a token tells its secret: %s", claims)
	}
	elapse(t, 3*time.Second)
	s.refuses(t, "expired", soon)
	if err = talker.say(wsText, `{"op":"send","cid":"late","text":"still the host?"}`); err != nil {
		t.Fatal(err)
	}
	if code := talker.stay(func(b []byte) {
		if strings.Contains(string(b), "still the host?") {
			t.Error("what was said with an expired token is shown")
		}
	}); code != 4003 {
		t.Errorf("closed with %d after the token expired, want 4003", code)
	}
	r.measured("the one that expired meanwhile: closed with 4003 at the next word, which nobody saw")
}

// flip changes one letter of a text.
func flip(text string, at int) string {
	b := []byte(text)
	if b[at]++; b[at] == '.' || b[at] > 'z' {
		b[at] = 'A'
	}
	return string(b)
}

// enterAs joins with a token.
func enterAs(ctx context.Context, s *server, token string) (*socket, error) {
	c, _, err := knock(ctx, s, "127.0.0.1", 0)
	if err != nil {
		return nil, err
	}
	hello, err := json.Marshal(map[string]string{"op": "hello", "token": token})
	if err == nil {
		err = c.say(wsText, string(hello))
	}
	_ = c.SetReadDeadline(time.Now().Add(clientPatience))
	var first []byte
	if err == nil {
		_, first, err = c.next()
	}
	if err == nil && !strings.HasPrefix(string(first), `{"op":"welcome"`) {
		err = fmt.Errorf("%w: %s", errSocket, first)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, c.SetReadDeadline(time.Time{})
}

// refuses fails the test when chat or the API takes the token.
func (s *server) refuses(t *testing.T, what, token string) {
	t.Helper()
	c, err := enterAs(t.Context(), s, token)
	if c != nil {
		c.Close()
	}
	if !errors.Is(err, errSocket) || !strings.Contains(err.Error(), `"code":4003`) {
		t.Errorf("%s: chat says %v, want a bye with 4003", what, err)
	}
	for path, method := range map[string]string{"": http.MethodPut, "/publish": http.MethodGet, "/kick": http.MethodPost} {
		_, status := s.as(t, method, "/api/v1/rooms/"+room+path, map[string]string{"Authorization": "Bearer " + token})
		if status != http.StatusUnauthorized && status != http.StatusForbidden {
			t.Errorf("%s: %s %s answers %d", what, method, path, status)
		}
	}
}
