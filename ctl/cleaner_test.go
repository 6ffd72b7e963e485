package ctl

import (
	"io"
	"strings"
	"testing"
)

// What comes from outside moves no cursor, sets no title and turns no text around; the
// commands' own colors stay.
func TestCleaner(t *testing.T) {
	own := strings.Join(escapes(), "x")
	for text, want := range map[string]string{
		"web\tready äöü\n":               "web\tready äöü\n",
		own:                              own,
		"\x1b]0;evil\a\x1b[5mx\r\u202ey": " ]0;evil  [5mx  y",
	} {
		for size := 1; size <= len(text); size++ {
			var out strings.Builder
			w := &cleaner{out: &out}
			if text == own {
				size = len(text) // escapes are written at once
			}
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				if _, err := io.WriteString(w, rest[:min(size, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != want {
				t.Errorf("%q in pieces of %d became %q, want %q", text, size, out.String(), want)
			}
		}
	}
}
