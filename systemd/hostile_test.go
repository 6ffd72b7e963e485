package systemd

import (
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// hostile is what a registry or a container may say.
const hostile = "\x1b[2J\u202egood\u009b\nREADY=1"

// A status is one line, and neither it nor the journal has anything that a terminal obeys.
func TestHostileText(t *testing.T) {
	var sent string
	Notifier{sent: func(state string) { sent = state }}.Status(hostile)
	if want := "STATUS=[2J good READY=1"; sent != want {
		t.Errorf("status = %q, want %q", sent, want)
	}
	var logged string
	var fields map[string]string
	log := zap.New(&core{LevelEnabler: zapcore.InfoLevel, write: func(_ zapcore.Level, message string, vars map[string]string) error {
		logged, fields = message, vars
		return nil
	}})
	log.Warn("pull failed", zap.Error(errors.New(hostile)))
	if want := "pull failed:  [2J good \nREADY=1"; logged != want || fields["ERROR"] != " [2J good \nREADY=1" {
		t.Errorf("journal = %q with %q, want %q", logged, fields, want)
	}
}
