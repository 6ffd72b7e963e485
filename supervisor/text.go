package supervisor

import (
	"strings"
	"unicode"
)

// maxText is how much of what a container says is shown in one line.
const maxText = 256

// clean makes one short line of what a container said, for a terminal that
// takes no orders from it.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText]) + "..."
	}
	return text
}

// lastLine keeps the last line that is written to it and is not empty, and of
// that only the beginning.
type lastLine struct {
	line, next []byte
}

func (l *lastLine) Write(text []byte) (int, error) {
	for _, b := range text {
		switch {
		case b != '\n' && len(l.next) < 4*maxText:
			l.next = append(l.next, b)
		case b == '\n' && len(l.next) > 0:
			l.line, l.next = l.next, l.line[:0]
		}
	}
	return len(text), nil
}

// String returns the line, without the values of these variables: a command
// may print its environment.
func (l *lastLine) String(env []string) string {
	line := string(l.line)
	if len(l.next) > 0 {
		line = string(l.next)
	}
	for _, variable := range env {
		if _, value, _ := strings.Cut(variable, "="); len(value) >= minSecret {
			line = strings.ReplaceAll(line, value, "***")
		}
	}
	return clean(line)
}

// minSecret is the length from which on a value may be a secret and not a word.
const minSecret = 4
