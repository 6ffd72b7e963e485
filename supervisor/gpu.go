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
)

const (
	// attachTimeout bounds one try to attach GPUs: drivers are loaded in it, and
	// a description of them may have to be made.
	attachTimeout = 2 * time.Minute
	// attachedFor is how long an attachment is taken to be right: a pull may lie
	// between it and the container.
	attachedFor = time.Minute
)

// attachGPUs finds out what gives the container the GPUs that it asks for, and
// waits for them as long as it says.
func (s *Supervisor) attachGPUs(ctx context.Context) error {
	asked := s.spec.GPU
	if asked == nil || time.Since(s.attachedAt) < attachedFor {
		return nil
	}
	if s.unit == "" {
		return errors.New("GPUs are given to the container of a systemd unit, and this is none (start it with systemd-run, or leave them to Docker: --gpu-opt mode=docker)")
	}
	s.adviseDevices(ctx)
	deadline := time.Now().Add(asked.Wait)
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 5 * time.Second}
	for {
		found, err := s.attachOnce(ctx)
		if err == nil {
			s.attached, s.attachedAt = found, time.Now()
			s.Log.Debug("devices attached", zap.Strings("devices", found.Devices))
			return nil
		}
		left := time.Until(deadline)
		if _, refused := errors.AsType[attachment.Refusal](err); !refused || left <= 0 || ctx.Err() != nil {
			return err
		}
		s.trouble(err)
		pause := tries.Step()
		s.Notify.ExtendTimeout(pause + timeoutMargin)
		s.Notify.Status(fmt.Sprintf("waiting for a GPU, %s left: %s", left.Round(time.Second), firstLine(err.Error())))
		waitErr := backoff.Pause(ctx, pause)
		if waitErr != nil {
			return waitErr
		}
	}
}

// attachOnce asks `dockhost gpu attach`. A [attachment.Refusal] says why the
// GPUs cannot be had now.
func (s *Supervisor) attachOnce(ctx context.Context) (attachment.Attachment, error) {
	question := attachment.Question{Unit: s.unit, GPU: s.spec.GPU}
	if s.spec.Run == nil {
		question.Container = s.spec.Name
	}
	raw, err := json.Marshal(question)
	if err != nil {
		return attachment.Attachment{}, fmt.Errorf("ask for GPUs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	s.Notify.ExtendTimeout(attachTimeout + timeoutMargin)
	s.Notify.Status("finding the GPUs that the container asks for")
	return s.runAttach(ctx, raw)
}

// tellGPU passes on what is heard on the way to an attachment.
func (s *Supervisor) tellGPU(m attachment.Message) {
	switch {
	case m.Warning != "":
		s.Log.Warn(m.Warning)
	case m.Status != "":
		s.Notify.Status(m.Status)
	}
}

// adviseDevices warns of a device filter of systemd's on the unit, which binds
// the container's cgroup below it, too.
func (s *Supervisor) adviseDevices(ctx context.Context) {
	unit, err := s.Units.Unit(ctx, s.unit)
	if err == nil && unit.DevicePolicy != "" && unit.DevicePolicy != "auto" {
		s.Log.Warn("systemd may refuse the container its GPUs: remove DevicePolicy=, DeviceAllow= and PrivateDevices= from the unit",
			zap.String("unit", s.unit), zap.String("device_policy", unit.DevicePolicy))
	}
}
