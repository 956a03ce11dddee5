package hlscheck

import (
	"fmt"
	"strings"
)

// Multivariant is a multivariant playlist.
type Multivariant struct {
	Text     string
	Variants []Variant
	Media    []Alternative
	Problems []string
}

// Variant is an EXT-X-STREAM-INF; attributes keep their quotes off.
type Variant struct {
	URI        string
	Attributes map[string]string
}

// Alternative is an EXT-X-MEDIA.
type Alternative struct {
	URI        string
	Attributes map[string]string
}

// ParseMultivariant reads a multivariant playlist.
func ParseMultivariant(text string) *Multivariant {
	m := &Multivariant{Text: text}
	if !strings.HasPrefix(text, "#EXTM3U") {
		m.Problems = append(m.Problems, "the first line is not #EXTM3U")
	}
	var pending map[string]string
	for number, line := range lines(text) {
		tag, value, _ := strings.Cut(line, ":")
		var err error
		switch {
		case !strings.HasPrefix(line, "#"):
			if pending == nil {
				err = fmt.Errorf("a URI without EXT-X-STREAM-INF")
			}
			m.Variants = append(m.Variants, Variant{line, pending})
			pending = nil
		case tag == "#EXT-X-STREAM-INF":
			pending, err = plainAttributes(value)
		case tag == "#EXT-X-MEDIA":
			var a map[string]string
			a, err = plainAttributes(value)
			m.Media = append(m.Media, Alternative{a["URI"], a})
		case tag == "#EXTM3U", tag == "#EXT-X-VERSION", tag == "#EXT-X-INDEPENDENT-SEGMENTS", tag == "#EXT-X-START", tag == "#EXT-X-DEFINE",
			tag == "#EXT-X-I-FRAME-STREAM-INF", tag == "#EXT-X-SESSION-DATA", tag == "#EXT-X-SESSION-KEY", tag == "#EXT-X-CONTENT-STEERING":
		default:
			err = fmt.Errorf("%s is no tag of a multivariant playlist", tag)
		}
		if err != nil {
			m.Problems = append(m.Problems, fmt.Sprintf("line %d: %v", number, err))
		}
	}
	if pending != nil || len(m.Variants) == 0 {
		m.Problems = append(m.Problems, "a variant without URI, or no variant")
	}
	return m
}

func plainAttributes(list string) (map[string]string, error) {
	values, err := parseAttributes(list)
	for k, v := range values {
		values[k] = strings.Trim(v, `"`)
	}
	return values, err
}

// Playlists are the URIs of all media playlists, each once.
func (m *Multivariant) Playlists() (uris []string) {
	seen := map[string]bool{}
	add := func(uri string) {
		if uri != "" && !seen[uri] {
			seen[uri] = true
			uris = append(uris, uri)
		}
	}
	for _, v := range m.Variants {
		add(v.URI)
	}
	for _, a := range m.Media {
		add(a.URI)
	}
	return uris
}

// playlistsOf are the media playlists that a viewer of v loads together.
func (m *Multivariant) playlistsOf(v Variant) []string {
	uris := []string{v.URI}
	for _, a := range m.Media {
		if a.URI != "" && a.URI != v.URI && a.Attributes["GROUP-ID"] == v.Attributes["AUDIO"] {
			return append(uris, a.URI)
		}
	}
	return uris
}
