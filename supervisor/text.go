package supervisor

import (
	"github.com/dockhost/dockhost/internal/oneline"
)

// maxText is the longest text of a container that is shown, in characters.
const maxText = 256

// clean turns a text of a container into one short line.
func clean(text string) string { return oneline.Of(text, maxText) }

// lastLine keeps the beginning of the last non-empty line that is written to it.
type lastLine struct {
	// next is the line that has not ended yet.
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

// String returns the line with the values of the variables replaced by ***: a
// command may print its environment.
func (l *lastLine) String(env []string) string {
	line := string(l.line)
	if len(l.next) > 0 {
		line = string(l.next)
	}
	return clean(oneline.Mask(line, env))
}
