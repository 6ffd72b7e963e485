// Package oneline makes text from outside fit to be shown: in a terminal, the journal or a
// status line.
package oneline

import (
	"strings"
	"unicode"
)

// Of returns a text as one line of at most limit characters, and "..." if it is longer. It
// has no characters that a terminal obeys.
func Of(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	return text
}
