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

// Last returns the last line of a text that is not blank, as [Of] does.
func Last(text string, limit int) string {
	text = strings.TrimRightFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) })
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return Of(text, limit)
}

// minSecret is the length of the shortest value that [Mask] replaces. A shorter one is a
// word that may stand anywhere.
const minSecret = 4

// Mask returns a text with the values of variables ("NAME=VALUE") replaced by ***: a
// command may print its environment.
func Mask(text string, env []string) string {
	for _, variable := range env {
		if _, value, _ := strings.Cut(variable, "="); len(value) >= minSecret {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return text
}
