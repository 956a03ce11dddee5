package packager

import "sync"

// sheet is a playlist that is written, and compressed, when somebody first asks for
// it, and then is the same bytes for everybody: a room that nobody watches costs no
// playlist, and one that thousands watch costs one. It is immutable but for that.
type sheet struct {
	env    *env
	append func([]byte) ([]byte, error)

	write, zip  sync.Once
	plain, gzip []byte
}

// bytes returns the playlist, nil if it cannot be written: that is a defect of this
// server, counted and logged.
func (s *sheet) bytes(gzip bool) []byte {
	s.write.Do(func() {
		var err error
		if s.plain, err = s.append(nil); err != nil {
			s.plain = nil
			s.env.metrics.renderErrors.Inc()
			s.env.log.Error("playlist not rendered", "err", err)
		}
	})
	if !gzip || s.plain == nil {
		return s.plain
	}
	s.zip.Do(func() { s.gzip = s.env.zip.compress(s.plain) })
	return s.gzip
}
