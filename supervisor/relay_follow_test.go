package supervisor

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
)

// endingLogs is an Engine that ends each reading of a container's log after a while,
// without an error.
type endingLogs struct {
	// each is how long it reads, left how often the container runs on after that.
	each     time.Duration
	left     int
	attached bool
}

func (e *endingLogs) Follow(context.Context, string, *engine.Relay) error {
	time.Sleep(e.each)
	return nil
}

func (e *endingLogs) Inspect(context.Context, string) (engine.Container, error) {
	e.left--
	return engine.Container{Running: e.left >= 0, StartedAt: time.Unix(1, 0)}, nil
}

func (e *endingLogs) Attach(context.Context, string, io.Reader, engine.Output) (*engine.Relay, error) {
	e.attached = true
	return nil, errors.New("attached")
}

// A log that ends again and again while its container runs is broken. One that was read
// for a while each time is not: Docker restarted.
func TestLogThatEndsAgainAndAgain(t *testing.T) {
	for each, broken := range map[time.Duration]bool{time.Second: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			docker := &endingLogs{each: each, left: 20}
			r := &relay{engine: docker, log: zap.NewNop()}
			r.followLog(t.Context(), "id", &output{relay: &engine.Relay{}})
			if docker.attached != broken {
				t.Errorf("read for %s at a time: broken = %t, want %t", each, docker.attached, broken)
			}
		})
	}
}
