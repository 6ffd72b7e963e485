package agent

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Problems are logged when they change, and again once they were gone.
func TestProblemLog(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	l := newProblemLog(zap.New(core))
	for _, problems := range [][]string{{"a"}, {"a"}, {"a", "b"}, nil, nil, {"a"}} {
		l.log("refused", problems)
	}
	l.log("another message", []string{"a"})
	if got := logs.Len(); got != 5 {
		t.Errorf("%d lines are logged, want 5: %v", got, logs.All())
	}
}
