package oneline

import "testing"

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"  two\n\twords ":        "two words",
		"\x1b[31mred\u202e\x00":  "[31mred",
		"äöü is longer than ten": "äöü is lon...",
		"exactly 10":             "exactly 10",
		"invalid \xff":           "invalid \ufffd",
	} {
		if got := Of(text, 10); got != want {
			t.Errorf("Of(%q) = %q, want %q", text, got, want)
		}
	}
}
