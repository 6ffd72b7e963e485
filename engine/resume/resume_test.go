package resume

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/docker/docker/pkg/stdcopy"
)

// memoryLog is a container's log with one message per frame.
type memoryLog []logged

// open returns the messages that a request asks for. It fails after limit bytes,
// unless limit is 0.
func (l memoryLog) open(epoch time.Time, limit int64) OpenLog {
	return func(_ context.Context, request LogRequest) (io.ReadCloser, error) {
		var b bytes.Buffer
		messages := l
		if request.Tail > 0 {
			messages = messages[max(len(messages)-request.Tail, 0):]
		}
		for _, m := range messages {
			if at := epoch.Add(m.after); !at.Before(request.Since) && (request.Until.IsZero() || !at.After(request.Until)) {
				b.WriteString(frame(stdcopy.Stdout, string(stampOf(at))+" "+m.text))
			}
		}
		if limit > 0 {
			return io.NopCloser(io.MultiReader(io.LimitReader(&b, limit), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		}
		return io.NopCloser(&b), nil
	}
}

func TestFollowContinuesAfterConnection(t *testing.T) {
	var out strings.Builder
	connected := time.Now()
	r := Start(Output{Stdout: &out}, io.NopCloser(strings.NewReader(frame(stdcopy.Stdout, "a\nb\n"))))
	<-r.Done()
	log := memoryLog{{-time.Minute, "before\n"}, {0, "a\n"}, {time.Millisecond, "b\n"}, {2 * time.Millisecond, "c\n"}, {time.Minute, "d\n"}}
	if err := r.Follow(t.Context(), log.open(connected, 0)); err != nil {
		t.Fatalf("Follow() = %v", err)
	}
	if got, want := out.String(), "a\nb\nc\nd\n"; got != want {
		t.Errorf("the output is %q, want %q", got, want)
	}
}

// A Docker that still runs logs the last relayed lines a moment later.
func TestFollowWaitsForLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		connected := time.Now()
		r := Start(Output{Stdout: &out}, io.NopCloser(strings.NewReader(frame(stdcopy.Stdout, "a\nb\nc\n"))))
		<-r.Done()
		log := memoryLog{{0, "a\n"}, {time.Millisecond, "b\n"}, {2 * time.Millisecond, "c\n"}, {3 * time.Millisecond, "d\n"}}
		open := func(ctx context.Context, request LogRequest) (io.ReadCloser, error) {
			if time.Since(connected) < skew/2 {
				return log[:1].open(connected, 0)(ctx, request)
			}
			return log.open(connected, 0)(ctx, request)
		}
		if err := r.Follow(t.Context(), open); err != nil {
			t.Fatalf("Follow() = %v", err)
		}
		if got, want := out.String(), "a\nb\nc\nd\n"; got != want {
			t.Errorf("the output is %q, want %q", got, want)
		}
	})
}

func TestFollowContinuesAfterError(t *testing.T) {
	var out strings.Builder
	connected := time.Now()
	r := Start(Output{Stdout: &out}, io.NopCloser(strings.NewReader(frame(stdcopy.Stdout, "a\n"))))
	log := memoryLog{{0, "a\n"}, {time.Millisecond, "b\n"}, {2 * time.Millisecond, "c\n"}}
	whole := int64(len(frame(stdcopy.Stdout, string(stampOf(connected))+" a\n")))
	tries := 0
	open := func(ctx context.Context, request LogRequest) (io.ReadCloser, error) {
		limit := int64(0)
		if tries++; tries == 2 { // the first one locates the end of the connection
			limit = 2 * whole
		}
		return log.open(connected, limit)(ctx, request)
	}
	if err := r.Follow(t.Context(), open); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("Follow() = %v, want ErrUnexpectedEOF", err)
	}
	if err := r.Follow(t.Context(), open); err != nil {
		t.Fatalf("Follow() = %v", err)
	}
	if got, want := out.String(), "a\nb\nc\n"; got != want {
		t.Errorf("the output is %q, want %q", got, want)
	}
}

// If the last messages do not reach back to the end of the connection, the log
// is read from a time on.
func TestFollowReadsFurtherBack(t *testing.T) {
	var out strings.Builder
	connected := time.Now()
	r := Start(Output{Stdout: &out}, io.NopCloser(strings.NewReader(frame(stdcopy.Stdout, "a\n"))))
	log := memoryLog{{0, "a\n"}}
	want := "a\n"
	for range 2 * firstTail {
		log = append(log, logged{10 * time.Second, "x\n"})
		want += "x\n"
	}
	if err := r.Follow(t.Context(), log.open(connected, 0)); err != nil {
		t.Fatalf("Follow() = %v", err)
	}
	if got := out.String(); got != want {
		t.Errorf("the output has %d bytes, want %d", len(got), len(want))
	}
}

func TestFollowWithoutWriterReadsNothing(t *testing.T) {
	r := Start(Output{}, nil)
	<-r.Done()
	r.Close()
	if err := r.Follow(t.Context(), nil); err != nil {
		t.Errorf("Follow() = %v", err)
	}
}
