package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScreen(t *testing.T) {
	tests := []struct{ name, printed, want string }{
		{"lines", "one\r\ntwo\n\n", "one\ntwo"},
		{"a tab", "a\tb", "a       b"},
		{"a progress line", "10%\r20%\r\x1b[Kdone", "done"},
		{"lines that are drawn again", "a 1\nb 1\n\x1b[2A\x1b[Ka 2\n\x1b[Kb 2\n", "a 2\nb 2"},
		{"a screen that is cleared", "old\n\x1b[2J\x1b[Hnew", "new"},
		{"the rest erased", "one\ntwo\nthree\x1b[2A\r\x1b[J", ""},
		{"colors", "\x1b[1;31mred\x1b[0m", "red"},
		{"cut short", "a\x1b[3", "a"},
		{"other escapes", "\x1b(Ba\x1b", "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var lines []string
			for _, line := range screen(test.printed) {
				var b strings.Builder
				for _, c := range line {
					b.WriteRune(c.char)
				}
				lines = append(lines, b.String())
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("screen(%q) = %q, want %q", test.printed, got, test.want)
			}
		})
	}
}

func TestStyle(t *testing.T) {
	line := screen("\x1b[1;31ma\x1b[22mb\x1b[39;92mc\x1b[0;2md")[0]
	want := []style{{color: 2, bold: true}, {color: 2}, {color: 11}, {dim: true}}
	for i, c := range line {
		if diff := cmp.Diff(want[i], c.style, cmp.AllowUnexported(style{})); diff != "" {
			t.Errorf("style of %q (-want +got):\n%s", c.char, diff)
		}
	}
}

// A picture is XML, whatever was printed.
func FuzzDraw(f *testing.F) {
	f.Add("\x1b[31m<b>&\x1b[0m ok\r\n")
	f.Add("\x1b[999999B\x1b[2K\x1b[?25l\b\t")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 || strings.Count(text, "\x1b") > 20 {
			return
		}
		var out bytes.Buffer
		if err := run(strings.NewReader(text), &out, "dockhostctl <status>"); err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(&out)
		var err error
		for err == nil {
			_, err = decoder.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the picture of %q is not XML: %v", text, err)
		}
	})
}
