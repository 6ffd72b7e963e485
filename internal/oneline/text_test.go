package oneline

import (
	"encoding/json"
	"testing"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"two\n\tlines\n":                  "two\n\tlines\n",
		"\x1b[2J\u202eab\u009b\x7f\r\x00": " [2J ab    ",
		"äöü \xff":                        "äöü \ufffd",
	} {
		if got := Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
}

// The strings of JSON are cleaned, however they are escaped, and it stays JSON.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{"plain", "\x1b]0;title\a", "\u202e\u2066\u2028", `\u001b "quoted" \\`, "<&>\r\b\f\n\t", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := json.Marshal(JSON{map[string][]string{"key": {text}}})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string][]string
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if want := Text(text); back["key"][0] != want {
			t.Errorf("%q became %q, want %q", text, back["key"][0], want)
		}
	})
}
