package origin

import (
	"net/http"
	"strings"
)

// head is what the lane reads of the head of a request.
type head struct {
	method, path, query             string
	accepts, ranges, session, agent string
	forwarded                       []string // X-Forwarded-For, line by line
}

// parseHead reads the head of a request, its empty line included: a GET or HEAD of
// HTTP/1.1 without a body, for something below /hls/, that keeps its connection. ok is
// false for everything else and wherever there is a choice how to read it: that is for
// net/http, from the beginning. What is read here net/http reads alike (a fuzz test
// compares).
func parseHead(text string) (h head, ok bool) {
	line, text, _ := strings.Cut(text, "\r\n")
	if !h.start(line) {
		return head{}, false
	}
	hosts := 0
	for {
		if line, text, ok = strings.Cut(text, "\r\n"); !ok {
			return head{}, false
		}
		if line == "" {
			return h, hosts == 1 && text == ""
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		// A name is a token (RFC 9110, 5.1): not so the folded rest of the line before.
		if !found || name == "" || !made(name, isToken) || !made(value, isText) {
			return head{}, false
		}
		name = http.CanonicalHeaderKey(name)
		if name == "Host" {
			if hosts++; !made(value, isHost) {
				return head{}, false
			}
		}
		if !h.field(name, value) {
			return head{}, false
		}
	}
}

// start reads the request line.
func (h *head) start(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method != http.MethodGet && method != http.MethodHead || version != "HTTP/1.1" {
		return false
	}
	h.method = method
	h.path, h.query, _ = strings.Cut(target, "?")
	// What has to be decoded or cleaned goes to net/http.
	return strings.HasPrefix(h.path, "/hls/") && made(h.path, isPath) && !strings.Contains(h.path, "//") && !strings.Contains(h.path, "/.") &&
		made(h.query, isQuery)
}

// field reads a header field, its name in canonical form; false says that the request
// is not for the lane.
func (h *head) field(name, value string) bool {
	var first *string
	switch name {
	case "Accept-Encoding":
		first = &h.accepts
	case "Range":
		first = &h.ranges
	case "Cmcd-Session":
		first = &h.session
	case "User-Agent":
		first = &h.agent
	case "X-Forwarded-For":
		h.forwarded = append(h.forwarded, value)
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Upgrade":
		return false
	}
	if first == nil {
		return true
	}
	if value == "" || *first != "" { // which of two counts is no question for us
		return false
	}
	*first = value
	return true
}

// made says that a text has nothing but one sort of characters.
func made(text string, of func(byte) bool) bool {
	for i := range len(text) {
		if !of(text[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 26
}

func isPath(c byte) bool { return isAlphanumeric(c) || c-'-' < 3 || c == '_' } // - . /

// isQuery: printable ASCII, but for the fragment that no request has.
func isQuery(c byte) bool { return c-'!' < '~'-' ' && c != '#' }

// isText is what a value may have: printable ASCII, blank and tab. The rest is
// allowed too, and rare.
func isText(c byte) bool { return c-' ' < '~'-' '+1 || c == '\t' }

// isHost: of a name or an address with a port.
func isHost(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '.' || c == ':' || c == '[' || c == ']' || c == '_'
}

// isToken is RFC 9110, 5.6.2.
func isToken(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '_' || c-'!' < 14 && c != '"' && c != '(' && c != ')' && c != ',' || c == '^' || c == '`' || c == '|' || c == '~'
}
