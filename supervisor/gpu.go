package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

const (
	// attachTimeout bounds one try to attach GPUs, which may load drivers and
	// generate their CDI description.
	attachTimeout = 2 * time.Minute
	// attachedFor is how long an attachment is used without asking again: a pull
	// may pass before the container is created.
	attachedFor = time.Minute
)

// gpuAttacher finds the GPUs that the container asks for.
type gpuAttacher struct {
	container *spec.Container
	unit      *unit
	program   gpuProgram
	report    *reporter
	log       *zap.Logger
	// attached is what was found at attachedAt.
	attached   attachment.Attachment
	attachedAt time.Time
}

// attach finds out what gives the container its GPUs. It waits for them as long
// as the declaration allows.
func (g *gpuAttacher) attach(ctx context.Context) error {
	request := g.container.GPU
	if request == nil || time.Since(g.attachedAt) < attachedFor {
		return nil
	}
	if !g.unit.exists() {
		return errors.New("dockhost gives GPUs only to the container of a systemd unit, and this is not one (start it with systemd-run, or leave them to Docker: --gpu-opt mode=docker)")
	}
	g.unit.adviseDevices(ctx)
	deadline := time.Now().Add(request.Wait)
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 5 * time.Second}
	for {
		attached, err := g.attachOnce(ctx)
		if err == nil {
			g.attached, g.attachedAt = attached, time.Now()
			g.log.Debug("devices attached", zap.Strings("devices", attached.Devices))
			return nil
		}
		left := time.Until(deadline)
		if _, refused := errors.AsType[attachment.Refusal](err); !refused || left <= 0 || ctx.Err() != nil {
			return err
		}
		g.report.trouble("GPUs are not available, trying again", err)
		waitErr := tries.Wait(ctx, func(d time.Duration) {
			g.report.notify.ExtendTimeout(d + timeoutMargin)
			g.report.notify.Status(fmt.Sprintf("waiting for a GPU, %s left: %s", left.Round(time.Second), firstLine(err.Error())))
		})
		if waitErr != nil {
			return waitErr
		}
	}
}

// attachOnce asks `dockhost gpu attach`. The error is an [attachment.Refusal]
// when the GPUs are not available now.
func (g *gpuAttacher) attachOnce(ctx context.Context) (attachment.Attachment, error) {
	question := attachment.Question{Unit: g.unit.name, GPU: g.container.GPU}
	if g.container.Run == nil {
		question.Container = g.container.Name
	}
	raw, err := json.Marshal(question)
	if err != nil {
		return attachment.Attachment{}, fmt.Errorf("ask for GPUs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	g.report.notify.ExtendTimeout(attachTimeout + timeoutMargin)
	g.report.notify.Status("finding the GPUs that the container asks for")
	return g.program.attach(ctx, raw, g.relay)
}

// relay passes on a message that arrives before the attachment.
func (g *gpuAttacher) relay(m attachment.Message) {
	switch {
	case m.Warning != "":
		g.log.Warn(m.Warning)
	case m.Status != "":
		g.report.notify.Status(m.Status)
	}
}
