package supervisor

import (
	"errors"
	"fmt"
	"testing"

	"github.com/dockhost/dockhost/engine"
)

// The mark of an error from outside survives what wraps and joins it.
func TestErrorFromOutside(t *testing.T) {
	fault := fromOutside(errors.New("docker stopped"))
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"none", fromOutside(nil), false},
		{"of the container", errors.New("exit code 3"), false},
		{"wrapped", fmt.Errorf("start: %w", fault), true},
		{"joined", errors.Join(errors.New("removal"), fault), true},
		{"Docker does not answer", fmt.Errorf("start: %w", engine.ErrUnreachable), true},
	}
	for _, test := range tests {
		if got := isFromOutside(test.err); got != test.want {
			t.Errorf("%s: isFromOutside(%v) = %t, want %t", test.name, test.err, got, test.want)
		}
	}
}

// blames checks whether the state says that the declaration is to blame.
func (l *life) blames(declaration bool) {
	l.t.Helper()
	want := ""
	if declaration {
		want = l.spec.Hash()
	}
	if last := l.state().LastError; last == nil || last.ConfigHash != want {
		l.t.Errorf("last error = %+v, want one of the declaration %q", last, want)
	}
}
