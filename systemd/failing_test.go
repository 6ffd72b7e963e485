package systemd

import (
	"slices"
	"testing"
)

func TestCommandOf(t *testing.T) {
	argv := []string{"/usr/bin/dockhost", "run", "--name", "web", "nginx"}
	if got := commandOf([][]any{{"/usr/bin/dockhost", argv, false}}); !slices.Equal(got, argv) {
		t.Errorf("commandOf() = %v, want %v", got, argv)
	}
	for _, property := range []any{nil, "x", [][]any{}, [][]any{{"/x"}}, [][]any{{"/x", 7}}} {
		if got := commandOf(property); got != nil {
			t.Errorf("commandOf(%v) = %v, want none", property, got)
		}
	}
}
