package resume

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// noon is when the last output was relayed; messages are timed relative to it.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// logged is a message of a log.
type logged struct {
	after time.Duration
	text  string
}

// rest returns what would still be relayed of these messages.
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
	after := remainder{mark: f.result(from)}
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

// Wherever a relay ends, its output and the rest of the log make up the whole.
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
