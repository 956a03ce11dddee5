package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// writeTimeout bounds every write; the server reads all the time.
const writeTimeout = 5 * time.Second

// ErrProtocol means that the server said something the protocol does not know.
var ErrProtocol = errors.New("chat protocol")

// Conn is one open WebSocket of a room.
type Conn struct {
	Welcome Frame // what the server said first

	ws   *websocket.Conn
	mu   sync.Mutex // guards writes to ws, and sent
	sent int
}

// Who introduces a chatter. The zero value of everything but Nick is fine.
type Who struct {
	Nick   string
	Token  string
	Origin string // as a browser would send it
}

// Dial joins room at base ("http://127.0.0.1:8080") and waits for the welcome.
func Dial(ctx context.Context, base, room string, who Who) (*Conn, error) {
	url := "ws" + strings.TrimPrefix(base, "http") + "/chat/v1/rooms/" + room + "/ws"
	header := http.Header{}
	if who.Origin != "" {
		header.Set("Origin", who.Origin)
	}
	dialer := websocket.Dialer{Subprotocols: []string{"barrage.v1"}, HandshakeTimeout: writeTimeout}
	ws, resp, err := dialer.DialContext(ctx, url, header)
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, fmt.Errorf("join %s: %w", url, err)
	}
	c := &Conn{ws: ws}
	hello := map[string]any{"op": "hello", "nick": who.Nick}
	if who.Token != "" {
		hello["token"] = who.Token
	}
	if err = c.write(hello); err == nil {
		c.Welcome, err = c.Next()
	}
	if err == nil && c.Welcome.Op != "welcome" {
		err = fmt.Errorf("%w: first frame is %q, want welcome", ErrProtocol, c.Welcome.Op)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join %s: %w", url, err), ws.Close())
	}
	return c, nil
}

// Send says text and returns the id that its acknowledgement will carry.
func (c *Conn) Send(text string) (cid string, err error) {
	return c.SendAt(text, 0)
}

// SendAt is Send for somebody whose playhead is at pdt, in ms since the Unix epoch; 0 = it does not say.
func (c *Conn) SendAt(text string, pdt int64) (cid string, err error) {
	c.mu.Lock()
	c.sent++
	cid = strconv.Itoa(c.sent)
	c.mu.Unlock()
	send := map[string]any{"op": "send", "cid": cid, "text": text}
	if pdt != 0 {
		send["pdt"] = pdt
	}
	return cid, c.write(send)
}

// Like sends n hearts.
func (c *Conn) Like(n int) error {
	return c.write(map[string]any{"op": "like", "n": n})
}

// WriteRaw sends one text frame as it is, valid or not.
func (c *Conn) WriteRaw(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, frame)
}

func (c *Conn) write(v any) error {
	frame, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.WriteRaw(frame)
}

// Next returns the next frame. When the server closes, the error wraps a
// *websocket.CloseError with its code.
func (c *Conn) Next() (Frame, error) {
	_, text, err := c.ws.ReadMessage()
	if err != nil {
		return Frame{}, err
	}
	var f Frame
	if err = json.Unmarshal(text, &f); err != nil {
		return Frame{}, fmt.Errorf("%w: %w in %.200s", ErrProtocol, err, text)
	}
	return f, nil
}

// Close hangs up; Next returns an error then.
func (c *Conn) Close() error { return c.ws.Close() }
