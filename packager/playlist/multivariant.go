package playlist

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/grafov/m3u8"
)

// undetermined is the language of a track nobody told us about (BCP 47, 4.1):
// players group renditions by LANGUAGE, so each has one.
const undetermined = "und"

// Multivariant is the playlist of playlists.
type Multivariant struct {
	Version  int       // EXT-X-VERSION; 0 = the constant
	Variants []Variant // at least one; players start with the first they can play
	Audio    []AudioRendition
}

// Variant is one combination of renditions. Without video the audio playlist is
// the variant itself.
type Variant struct {
	URI              string
	Bandwidth        int      // bits per second of the worst segment, all renditions of the variant together
	AverageBandwidth int      // the same over all segments; 0 = unknown
	Codecs           []string // RFC 6381, of every rendition the variant needs
	Width, Height    int      // 0 = no video
	FrameRate        float64  // frames per second; 0 = no video, or unknown
	AudioGroup       string   // group of AudioRendition; empty = the variant carries its own audio, or none
}

// AudioRendition is one audio playlist that variants share.
type AudioRendition struct {
	Group    string // letters, digits, '.', '-', '_'
	Name     string // what a menu shows; unique in its group
	Language string // BCP 47; empty = undetermined
	URI      string
	Channels int
	Default  bool
}

// Append renders the playlist onto dst. After an error dst is as it was.
func (m *Multivariant) Append(dst []byte) ([]byte, error) {
	if err := m.validate(); err != nil {
		return dst, fmt.Errorf("render multivariant playlist: %w", err)
	}
	pl := m3u8.NewMasterPlaylist()
	pl.SetVersion(uint8(cmp.Or(m.Version, Version)))
	for i := range m.Variants {
		params := m.Variants[i].params()
		if i == 0 { // grafov writes renditions before the variant they hang on
			params.Alternatives = m.alternatives()
		}
		pl.Append(m.Variants[i].URI, nil, params)
	}
	// "PROGRAM-ID [...] was removed in protocol version 6" (8), yet grafov always
	// writes it. No value holds a line break, so only tags match.
	text := bytes.ReplaceAll(pl.Encode().Bytes(),
		[]byte("\n#EXT-X-STREAM-INF:PROGRAM-ID=0,"), []byte("\n#EXT-X-STREAM-INF:"))
	return append(dst, text...), nil
}

func (v *Variant) params() m3u8.VariantParams {
	p := m3u8.VariantParams{
		Bandwidth:        uint32(v.Bandwidth),
		AverageBandwidth: uint32(v.AverageBandwidth),
		Codecs:           strings.Join(v.Codecs, ","),
		FrameRate:        v.FrameRate,
		Audio:            v.AudioGroup,
	}
	if v.Width > 0 {
		p.Resolution = fmt.Sprintf("%dx%d", v.Width, v.Height)
	}
	return p
}

func (m *Multivariant) alternatives() []*m3u8.Alternative {
	var alts []*m3u8.Alternative
	for i := range m.Audio {
		a := &m.Audio[i]
		// grafov has no field for CHANNELS and writes this one unquoted.
		auto := fmt.Sprintf("YES,CHANNELS=\"%d\"", a.Channels)
		alts = append(alts, &m3u8.Alternative{
			Type: "AUDIO", GroupId: a.Group, Name: a.Name, Language: a.language(), URI: a.URI,
			Default: a.Default, Autoselect: auto,
		})
	}
	return alts
}

func (a *AudioRendition) language() string {
	if a.Language == "" {
		return undetermined
	}
	return a.Language
}

func (m *Multivariant) validate() error {
	if len(m.Variants) == 0 {
		return errors.New("no variant")
	}
	groups := make(map[string]bool)
	taken := make(map[string]bool)
	for i := range m.Audio {
		a := &m.Audio[i]
		if err := a.validate(); err != nil {
			return fmt.Errorf("audio rendition %d: %w", i, err)
		}
		groups[a.Group] = true
		// "All EXT-X-MEDIA tags in the same Group MUST have different NAME
		// attributes" (4.4.6.1.1). The second key is the one by which grafov
		// leaves out a rendition without a word.
		for _, key := range []string{a.Group + "\n" + a.Name, a.Group + "-" + a.Name + "-" + a.language()} {
			if taken[key] {
				return fmt.Errorf("audio rendition %d: name %q in group %q is taken", i, a.Name, a.Group)
			}
			taken[key] = true
		}
	}
	for i := range m.Variants {
		v := &m.Variants[i]
		if err := v.validate(); err != nil {
			return fmt.Errorf("variant %d: %w", i, err)
		}
		if v.AudioGroup != "" && !groups[v.AudioGroup] {
			return fmt.Errorf("variant %d: audio group %q has no rendition", i, v.AudioGroup)
		}
	}
	return nil
}

func (v *Variant) validate() error {
	if err := checkURI(v.URI); err != nil {
		return err
	}
	switch {
	case v.Bandwidth < 1 || int64(v.Bandwidth) > math.MaxUint32:
		return fmt.Errorf("bandwidth %d, want 1 to %d bits per second", v.Bandwidth, uint32(math.MaxUint32))
	case v.AverageBandwidth < 0 || v.AverageBandwidth > v.Bandwidth:
		return fmt.Errorf("average bandwidth %d, want 0 to the bandwidth %d", v.AverageBandwidth, v.Bandwidth)
	case v.Width < 0 || v.Height < 0 || (v.Width == 0) != (v.Height == 0):
		return fmt.Errorf("a picture of %d x %d", v.Width, v.Height)
	case !(v.FrameRate >= 0 && v.FrameRate < 1000): // also catches NaN
		return fmt.Errorf("frame rate %v, want 0 to 1000", v.FrameRate)
	case len(v.Codecs) == 0:
		return errors.New("no codecs")
	}
	for _, c := range v.Codecs {
		if err := checkToken("codec", c); err != nil {
			return err
		}
	}
	return nil
}

func (a *AudioRendition) validate() error {
	if err := checkURI(a.URI); err != nil {
		return err
	}
	if a.Channels < 1 {
		return fmt.Errorf("%d channels, want at least 1", a.Channels)
	}
	return errors.Join(
		checkToken("group", a.Group),
		checkQuoted("name", a.Name),
		checkToken("language", a.language()),
	)
}
