package systemd

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

type about struct{}

func (about) MarshalLogObject(encoder zapcore.ObjectEncoder) error {
	encoder.AddString("IMAGE_NAME", "shop:1")
	return nil
}

func TestLogger(t *testing.T) {
	var vars map[string]string
	var out bytes.Buffer
	lines := toLines("dockhost", &out)
	log := zap.New(&core{LevelEnabler: zapcore.InfoLevel, write: func(level zapcore.Level, message string, v map[string]string) error {
		vars = v
		return lines(level, message, v)
	}}).With(zap.String("container", "web"), zap.Inline(about{}))
	log.Debug("not shown")
	log.Warn("container not stopped", zap.Duration("after", time.Second), zap.Error(errors.New("it is busy")), zap.String("why", "a b"), zap.String("MESSAGE_ID", "1c6f"))
	if got, want := out.String(), "dockhost: warn: container not stopped: it is busy container=web after=1s why=\"a b\"\n"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	want := map[string]string{"CONTAINER": "web", "AFTER": "1s", "ERROR": "it is busy", "WHY": "a b", "MESSAGE_ID": "1c6f", "IMAGE_NAME": "shop:1"}
	if diff := cmp.Diff(want, vars); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestPriority(t *testing.T) {
	tests := map[zapcore.Level]journal.Priority{
		zapcore.DebugLevel: journal.PriDebug, zapcore.InfoLevel: journal.PriInfo,
		zapcore.WarnLevel: journal.PriWarning, zapcore.ErrorLevel: journal.PriErr,
	}
	for level, want := range tests {
		if got := priority(level); got != want {
			t.Errorf("priority(%v) = %v, want %v", level, got, want)
		}
	}
}
