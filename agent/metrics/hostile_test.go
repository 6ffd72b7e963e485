package metrics

import (
	"strings"
	"testing"
)

// A label has nothing that a terminal obeys.
func TestHostileText(t *testing.T) {
	s := snapshot()
	s.Status.Containers[0].Image = "\x1b[2J\u202egood"
	text, err := Text(s)
	if err != nil || !strings.Contains(string(text), `"[2J good"`) || strings.ContainsAny(string(text), "\x1b\u202e") {
		t.Errorf("Text() = %s, %v, want the image cleaned", text, err)
	}
}
