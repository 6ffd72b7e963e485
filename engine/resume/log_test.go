package resume

import (
	"fmt"
	"strings"
	"testing"
)

// The log of a terminal has no frames, and long lines in pieces.
func TestLogOfTerminal(t *testing.T) {
	stamp := func(n int) string { return fmt.Sprintf("2030-01-02T12:00:00.%09dZ ", n) }
	piece := strings.Repeat("x", 16<<10)
	source := stamp(1) + "one\r\n" + stamp(2) + "\r\n" + stamp(3) + piece + stamp(3) + piece + stamp(3) + "end\r\n" +
		strings.Repeat(stamp(4)+piece, 5) + stamp(4) + "\r\n" + stamp(5) + "begun"
	for _, size := range []int{1, 100, bufferSize} {
		var got collected
		var stamps []string
		f := &frames{write: got.write, lines: true, whole: func(_ int, p []byte) (int, error) {
			n := stampSize(p)
			stamps = append(stamps, string(p[:n]))
			return n, nil
		}}
		if err := f.copy(pieces{strings.NewReader(source), size}); err != nil {
			t.Fatal(err)
		}
		if want := "one\r\n\r\n" + piece + piece + "end\r\n" + strings.Repeat(piece, 5) + "\r\nbegun"; got.text[0].String() != want {
			t.Errorf("read in pieces of %d, the output has %d bytes, want %d", size, got.text[0].Len(), len(want))
		}
		if len(stamps) != 12 {
			t.Errorf("read in pieces of %d, there are %d messages, want 12", size, len(stamps))
		}
	}
}
