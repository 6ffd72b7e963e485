package systemd

import (
	"testing"
	"time"
)

func TestMicroseconds(t *testing.T) {
	for literal, want := range map[string]time.Duration{"@t 1500000": 1500 * time.Millisecond, "7": 7 * time.Microsecond} {
		if got, err := microseconds(literal); got != want || err != nil {
			t.Errorf("microseconds(%q) = %v, %v, want %v", literal, got, err, want)
		}
	}
	if _, err := microseconds(`"soon"`); err == nil {
		t.Error("microseconds of a word has no error")
	}
}
