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

func TestLast(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "",
		"one":               "one",
		"one\ntwo\r\n\n \t": "two",
		"one\n\x1b[0m two ": "[0m two",
	} {
		if got := Last(text, 10); got != want {
			t.Errorf("Last(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	env := []string{"PASSWORD=hunter2", "SHORT=ok", "EMPTY=", "NONE"}
	if got, want := Mask("ok: hunter2, hunter2!", env), "ok: ***, ***!"; got != want {
		t.Errorf("Mask() = %q, want %q", got, want)
	}
}
