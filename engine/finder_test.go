package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// noon is when the last that was relayed came; stamps count from it.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// logged is a message of a log: how long after noon, and its text.
type logged struct {
	after time.Duration
	text  string
}

// rest is what a stream would still relay of these messages.
func rest(relayed string, messages []logged) string {
	var t tail
	for line := range strings.Lines(relayed) {
		t.add([]byte(line), noon)
	}
	from := noon.Add(-time.Minute)
	f := newFinder(&t)
	for _, m := range messages {
		f.message(stampOf(noon.Add(m.after)), []byte(m.text))
	}
	after := resumed{mark: f.result(from)}
	if after.time().Before(from) {
		return "all that was logged before " + from.String()
	}
	var out strings.Builder
	for _, m := range messages {
		if stamp := stampOf(noon.Add(m.after)); !after.skips(stamp) {
			out.WriteString(m.text[after.cut([]byte(m.text)):])
		}
	}
	return out.String()
}

func TestFinder(t *testing.T) {
	const ms = time.Millisecond
	var numbers strings.Builder
	for n := range 3000 {
		fmt.Fprint(&numbers, n, " ")
	}
	long := numbers.String() // more than a tail
	tests := []struct {
		name, relayed string
		log           []logged
		want          string
	}{
		{"nothing was relayed", "", []logged{{-3 * ms, "a\n"}}, "a\n"},
		{"nothing was logged", "a\nb\n", nil, ""},
		{"the log is as far", "a\nb\n", []logged{{-3 * ms, "a\n"}, {-ms, "b\n"}}, ""},
		{"the log is ahead", "a\nb\n", []logged{{-3 * ms, "a\n"}, {-ms, "b\n"}, {-ms, "c\n"}, {5 * ms, "d\n"}}, "c\nd\n"},
		{"the log was ahead by time only", "a\nb\n", []logged{{3 * ms, "a\n"}, {4 * ms, "b\n"}, {5 * ms, "c\n"}}, "c\n"},
		{"the log is behind", "a\nb\nc\n", []logged{{-3 * ms, "a\n"}, {300 * ms, "d\n"}, {301 * ms, "e\n"}}, "d\ne\n"},
		{"the log begins later", "a\nb\nc\n", []logged{{-ms, "c\n"}, {ms, "d\n"}}, "d\n"},
		{"a line was begun", "a\nbe", []logged{{-ms, "a\n"}, {ms, "begun\n"}, {2 * ms, "c\n"}}, "gun\nc\n"},
		{"a line was begun and Docker lost its beginning", "a\nbe", []logged{{-ms, "a\n"}, {300 * ms, "gun\n"}}, "gun\n"},
		{"within a long line", long[:12_345], []logged{{-ms, long + "\n"}, {ms, "b\n"}}, long[12_345:] + "\nb\n"},
		{"within a long line that is not the first", long[:12_345], []logged{{-3 * ms, "a\n"}, {-2 * ms, "b\n"}, {-ms, long + "\n"}}, long[12_345:] + "\n"},
		{"after a long line", long + "\nb", []logged{{-ms, long + "\n"}, {ms, "b\n"}}, "\n"},
		{"a prompt", "$ ", []logged{{-ms, "$ exit\n"}}, "exit\n"},
		{"the same line again and again", "x\nx\nx\n", []logged{{-2 * time.Second, "x\n"}, {-time.Second, "x\n"}, {-ms, "x\n"}, {time.Second + ms, "x\n"}, {2 * time.Second, "x\n"}}, "x\nx\n"},
		{"an old line again", "x\ny\n", []logged{{2 * time.Second, "x\n"}}, "x\n"},
		{"a cycle", "a\nb\na\nb\n", []logged{{-900 * ms, "b\n"}, {-600 * ms, "a\n"}, {-ms, "b\n"}, {500 * ms, "a\n"}, {800 * ms, "b\n"}}, "a\nb\n"},
		{"empty lines", "a\n\n\n", []logged{{-3 * ms, "a\n"}, {-2 * ms, "\n"}, {-ms, "\n"}, {ms, "b\n"}}, "b\n"},
		{"bytes that json-file does not keep", "a\xff\n", []logged{{-2 * ms, "a\ufffd\n"}, {-ms, "b\n"}}, "b\n"},
		{"nothing is alike", "a\nb\n", []logged{{-3 * ms, "A\n"}, {-ms, "B\n"}, {ms, "C\n"}}, "C\n"},
		{"one timestamp for several", "a\nb\n", []logged{{-ms, "a\n"}, {-ms, "b\n"}, {-ms, "c\n"}}, "c\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := rest(test.relayed, test.log); got != test.want {
				t.Errorf("after %.60q, of %.200q, comes %.200q, want %.200q", test.relayed, fmt.Sprint(test.log), got, test.want)
			}
		})
	}
}

// Wherever a relay ends, what it relayed and what follows are the whole.
func FuzzFinder(f *testing.F) {
	f.Add(3, 40, 17)
	f.Add(1000, 7, 5000)
	f.Fuzz(func(t *testing.T, lines, length, end int) {
		if lines <= 0 || lines > 2000 || length < 0 || length > 2000 || end < 0 {
			t.Skip()
		}
		var whole strings.Builder
		var messages []logged
		for n := range lines {
			line := fmt.Sprintf("line %d %s\n", n, strings.Repeat("-", (length*n)%2000))
			messages = append(messages, logged{time.Duration(n-lines) * time.Microsecond, line})
			whole.WriteString(line)
		}
		end %= whole.Len() + 1
		if got := whole.String()[:end] + rest(whole.String()[:end], messages); got != whole.String() {
			t.Errorf("cut at %d of %d bytes, the whole has %d bytes", end, whole.Len(), len(got))
		}
	})
}

func TestTail(t *testing.T) {
	var whole strings.Builder
	var kept tail
	for n := range 10_000 {
		piece := strings.Repeat(fmt.Sprintf("%d\n", n), n%700)
		whole.WriteString(piece)
		kept.add([]byte(piece), noon)
		if got := string(kept.last); !strings.HasSuffix(whole.String(), got) || len(got) < min(whole.Len(), tailSize) || cap(kept.last) > 2*tailSize {
			t.Fatalf("after %d bytes the tail has %d of %d", whole.Len(), len(got), cap(kept.last))
		}
		if kept.cut != (len(kept.last) < whole.Len()) {
			t.Fatalf("cut = %t of %d of %d bytes", kept.cut, len(kept.last), whole.Len())
		}
	}
}

func TestStampSize(t *testing.T) {
	tests := map[string]int{
		"2030-01-02T12:00:00.000000001Z a":      31,
		"2030-01-02T12:00:00.000000001+02:00 a": 36,
		"2030-01-02T12:00:00.000000001Z":        0,
		"2030-01-02 12:00:00.000000001Z a":      0,
		"a line":                                0,
		"":                                      0,
	}
	for message, want := range tests {
		if got := stampSize([]byte(message)); got != want {
			t.Errorf("stampSize(%q) = %d, want %d", message, got, want)
		}
	}
}

// A terminal's log has no frames, and a long line in pieces.
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
