package ingest

import (
	"io"
	"strings"

	"github.com/sirupsen/logrus" //nolint:depguard // go-rtmp's logger is a logrus one; here it is turned into slog
)

// serveFailed begins the message with which go-rtmp reports why it gave up on a
// connection.
const serveFailed = "Server closed by error: Err = "

// libraryLog is the hook through which go-rtmp's messages pass. warn gets
// warnings, failed the reason why go-rtmp gave up; both without anything that
// could be a key. go-rtmp logs on the goroutine that reads the connection.
type libraryLog struct {
	warn, failed func(text string)
}

// newLibraryLogger returns a logger that prints nothing and formats nothing
// below warnings: go-rtmp prints stream names, which are keys, at Info.
func newLibraryLogger(hook *libraryLog) *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.WarnLevel)
	l.AddHook(hook)
	return l
}

// Levels implements logrus.Hook.
func (h *libraryLog) Levels() []logrus.Level {
	return []logrus.Level{logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel, logrus.WarnLevel}
}

// Fire implements logrus.Hook.
func (h *libraryLog) Fire(e *logrus.Entry) error {
	if reason, ok := strings.CutPrefix(e.Message, serveFailed); ok {
		h.failed(redact(reason))
	} else {
		h.warn(redact(e.Message))
	}
	return nil
}

const (
	maxLogText = 200
	// A signed key is longer than any word go-rtmp uses.
	maxWord = 24
)

// redact keeps the first line of a text without words that could be a key, and
// without stack traces and control characters.
func redact(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	words := strings.FieldsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f })
	for i, w := range words {
		if len(w) > maxWord || strings.Contains(w, "key=") {
			words[i] = "[...]"
		}
	}
	text = strings.Join(words, " ")
	if len(text) > maxLogText {
		text = text[:maxLogText]
	}
	return strings.ToValidUTF8(text, "?")
}
