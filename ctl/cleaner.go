package ctl

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/dockhost/dockhost/internal/oneline"
)

// escapes are what the commands themselves send to a terminal.
func escapes() []string {
	c := palette(true)
	return []string{clearScreen, eraseLine, noWrap, wrap, c.good, c.bad, c.busy, c.off}
}

// cleaner passes on text without what a terminal obeys, apart from the commands' own
// escapes: names, errors and lines come from registries, containers and user data.
type cleaner struct {
	out io.Writer
	// rest is the beginning of a character whose end was not written yet.
	rest []byte
}

func (c *cleaner) Write(raw []byte) (int, error) {
	text := append(c.rest, raw...) //nolint:gocritic // rest is replaced below
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if at := len(text) - i; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				whole = at
			}
			break
		}
	}
	cleaned := cleanOutput(string(text[:whole]))
	c.rest = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(c.out, cleaned); err != nil {
		return 0, err
	}
	return len(raw), nil
}

func cleanOutput(text string) string {
	var out strings.Builder
	for text != "" {
		at := strings.IndexAny(text, "\x1b\r")
		if at < 0 {
			at = len(text)
		}
		out.WriteString(oneline.Text(text[:at]))
		if text = text[at:]; text == "" {
			break
		}
		own := 1
		for _, escape := range escapes() {
			if escape != "" && strings.HasPrefix(text, escape) {
				own = len(escape)
			}
		}
		if own > 1 {
			out.WriteString(text[:own])
		} else {
			out.WriteByte(' ')
		}
		text = text[own:]
	}
	return out.String()
}
