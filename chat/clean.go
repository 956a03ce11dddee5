package chat

import "barrage/chat/internal/text"

// CleanText makes a text of one line safe to show to other people, by the rules
// of comments: NFC, no control, invisible or direction-changing characters, no
// towers of accents. What people name their room goes the same way as what they say.
func CleanText(s string) string { return text.Clean(s) }
