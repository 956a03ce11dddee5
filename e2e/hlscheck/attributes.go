package hlscheck

import (
	"fmt"
	"strings"
	"time"
)

// attributes is an attribute list.
type attributes struct {
	p      *mediaParser
	values map[string]string
}

func (a *attributes) read(list string) {
	values, err := parseAttributes(list)
	if err != nil {
		a.p.problem("%v", err)
	}
	a.values = values
}

func (a *attributes) uri() string {
	v, ok := a.values["URI"]
	if !ok {
		return ""
	}
	if !strings.HasPrefix(v, `"`) {
		a.p.problem("URI is not quoted")
	}
	return strings.Trim(v, `"`)
}

func (a *attributes) word(name string) string {
	v := a.values[name]
	if strings.HasPrefix(v, `"`) {
		a.p.problem("%s is quoted", name)
	}
	return v
}

func (a *attributes) seconds(name string) time.Duration {
	v := a.word(name)
	if v == "" {
		return 0
	}
	return a.p.decimal(v)
}

// parseAttributes reads NAME=value,NAME="value" (4.2); values keep their quotes.
func parseAttributes(list string) (map[string]string, error) {
	values := map[string]string{}
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return values, fmt.Errorf("attribute list at %q", list)
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return values, fmt.Errorf("%s: the quote is never closed", name)
			}
			value, rest = rest[:end+2], rest[end+2:]
		} else if end := strings.IndexByte(rest, ','); end >= 0 {
			value, rest = rest[:end], rest[end:]
		} else {
			value, rest = rest, ""
		}
		if _, twice := values[name]; twice {
			return values, fmt.Errorf("%s stands twice", name)
		}
		if value == "" || rest != "" && (!strings.HasPrefix(rest, ",") || rest == ",") {
			return values, fmt.Errorf("attribute list behind %s", name)
		}
		values[name], list = value, strings.TrimPrefix(rest, ",")
	}
	return values, nil
}
