package wire

// scanSend decodes a send as pages write it, without a general decoder: the
// strings of m are parts of s. It says no to everything it does not know, a
// backslash for one, and never to mean that s is wrong.
func scanSend(s string) (m Client, ok bool) {
	c := cursor{s: s}
	for c.punct('{'); ; c.punct(',') {
		name := c.string()
		c.punct(':')
		switch name {
		case "op":
			m.Op = c.string()
		case "cid":
			m.CID = c.string()
		case "text":
			m.Text = c.string()
		case "mode":
			m.Mode = c.string()
		case "color":
			m.Color = c.string()
		case "pdt":
			m.PDT = c.integer()
		default:
			return Client{}, false
		}
		if c.space(); c.bad || c.s != "" && c.s[0] == '}' {
			break
		}
	}
	c.punct('}')
	if c.space(); c.bad || c.s != "" || m.Op != "send" {
		return Client{}, false
	}
	return m, true
}

// cursor is what is left to scan; bad once something was not as expected.
type cursor struct {
	s   string
	bad bool
}

func (c *cursor) space() {
	i := 0
	for i < len(c.s) && (c.s[i] == ' ' || c.s[i] == '\t' || c.s[i] == '\n' || c.s[i] == '\r') {
		i++
	}
	c.s = c.s[i:]
}

func (c *cursor) punct(p byte) {
	if c.space(); c.s == "" || c.s[0] != p {
		c.bad = true
		return
	}
	c.s = c.s[1:]
}

func (c *cursor) string() string {
	if c.punct('"'); c.bad {
		return ""
	}
	for i := range len(c.s) {
		switch b := c.s[i]; {
		case b == '"':
			v := c.s[:i]
			c.s = c.s[i+1:]
			return v
		case b < 0x20 || b == '\\':
			c.bad = true
			return ""
		}
	}
	c.bad = true
	return ""
}

// integer reads 1 to 15 digits without a sign and a leading zero.
func (c *cursor) integer() (v int64) {
	c.space()
	i := 0
	for ; i < len(c.s) && c.s[i] >= '0' && c.s[i] <= '9'; i++ {
		v = 10*v + int64(c.s[i]-'0')
	}
	if i == 0 || i > 15 || i > 1 && c.s[0] == '0' {
		c.bad = true
	}
	c.s = c.s[min(i, len(c.s)):]
	return v
}
