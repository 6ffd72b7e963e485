package supervisor

import (
	"strings"
	"testing"
)

func TestLastLine(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"one\ntwo", "two"},
		{"one\ntwo\n\n", "two"},
		{"one\ntwo\nthree\n", "three"},
		{strings.Repeat("x", 5000) + "\n", strings.Repeat("x", 256) + "..."},
		{"a hunter2 b=ok\n", "a *** b=ok"},
	}
	for _, test := range tests {
		var l lastLine
		for _, b := range []byte(test.text) {
			_, _ = l.Write([]byte{b})
		}
		if got := l.String([]string{"PASSWORD=hunter2", "SHORT=ok", "EMPTY="}); got != test.want {
			t.Errorf("last line of %.20q = %q, want %q", test.text, got, test.want)
		}
	}
}
