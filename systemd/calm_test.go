package systemd

import (
	"bytes"
	"strings"
	"testing"
)

func TestCalm(t *testing.T) {
	long := strings.Repeat("a", journalLineMax)
	tests := map[string]struct {
		writes []string
		want   string
	}{
		"emerg":          {[]string{"<0>fire\n<0>fire\n"}, "<1>fire\n<1>fire\n"},
		"others":         {[]string{"<3>error\n <0>\na<0>\n<0 >\n<00>\n<1>\n"}, "<3>error\n <0>\na<0>\n<0 >\n<00>\n<1>\n"},
		"a part at once": {[]string{"<", "0", ">fire\n", "<0", ">fire"}, "<0-fire\n<0-fire"},
		"digit and end":  {[]string{"<", "0>fire"}, "<1>fire"},
		"NUL":            {[]string{"x\x00<0>fire\n"}, "x\x00<1>fire\n"},
		"a cut line":     {[]string{long, "<0>fire\n"}, long + "<1>fire\n"},
		"not quite cut":  {[]string{long[1:], "<0>fire\n"}, long[1:] + "<0>fire\n"},
		"nothing":        {[]string{"", "\n"}, "\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := calm{to: &out, prefixed: func() bool { return true }}
			for _, text := range test.writes {
				given := []byte(text)
				if n, err := c.Write(given); n != len(text) || err != nil || string(given) != text {
					t.Errorf("Write(%q) = %d, %v, and the text is %q now", text, n, err, given)
				}
			}
			if out.String() != test.want {
				t.Errorf("the journal gets %q, want %q", out.String(), test.want)
			}
		})
	}
	var out bytes.Buffer
	if _, err := (&calm{to: &out, prefixed: func() bool { return false }}).Write([]byte("<0>x\n")); err != nil || out.String() != "<0>x\n" {
		t.Errorf("without prefixes the journal gets %q, %v", out.String(), err)
	}
}
