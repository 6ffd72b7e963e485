package compose

import (
	"strings"
	"testing"
)

func TestSubstitute(t *testing.T) {
	tests := []struct {
		in, want string
		bad      bool
	}{
		{in: "plain", want: "plain"},
		{in: "a$$b", want: "a$b"},
		{in: "$$$$", want: "$$"},
		{in: "${A:-b}", want: "b"},
		{in: "${A-b}c", want: "bc"},
		{in: "${A:-}", want: ""},
		{in: "${A:-${B:-c}}d", want: "cd"},
		{in: "${A:-$$}", want: "$"},
		{in: "${A:+b}", want: ""},
		{in: "${A+b}", want: ""},
		{in: "$1", want: "$1"},
		{in: "$", want: "$"},
		{in: "a$ b", want: "a$ b"},
		{in: "${A:-{}}", want: "{}"},
		{in: "$A", bad: true},
		{in: "$_a", bad: true},
		{in: "${A}", bad: true},
		{in: "${A:?b}", bad: true},
		{in: "${A?}", bad: true},
		{in: "${}", bad: true},
		{in: "${A", bad: true},
		{in: "${A:-$B}", bad: true},
		{in: "${1:-b}", bad: true},
		{in: "${A:b}", bad: true},
		{in: strings.Repeat("${A:-", maxNested) + "x" + strings.Repeat("}", maxNested), want: "x"},
		{in: strings.Repeat("${A:-", maxNested+1) + "x" + strings.Repeat("}", maxNested+1), bad: true},
	}
	for _, tt := range tests {
		got, err := variables(nil).substitute(tt.in)
		if got != tt.want && err == nil || (err != nil) != tt.bad {
			t.Errorf("substitute(%q) = %q, %v, want %q, error %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}
