package agent

import (
	"context"
	"errors"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/systemd"
)

// patience bounds the wait for a systemd that executes itself again.
const patience = 10 * time.Second

// patientUnits asks systemd again if it went away before it answered, where asking
// twice is the same as once.
type patientUnits struct {
	unitManager
}

func (p patientUnits) Start(ctx context.Context, name string) error {
	return patiently(ctx, func() error { return p.unitManager.Start(ctx, name) })
}

func (p patientUnits) BeginStop(ctx context.Context, name string) error {
	return patiently(ctx, func() error { return p.unitManager.BeginStop(ctx, name) })
}

func (p patientUnits) Version(ctx context.Context) (version int, err error) {
	err = patiently(ctx, func() error {
		version, err = p.unitManager.Version(ctx)
		return err
	})
	return version, err
}

func (p patientUnits) Watch(ctx context.Context, name string) (changes <-chan struct{}, err error) {
	err = patiently(ctx, func() error {
		changes, err = p.unitManager.Watch(ctx, name)
		return err
	})
	return changes, err
}

func (p patientUnits) Unit(ctx context.Context, name string) (unit systemd.Unit, err error) {
	err = patiently(ctx, func() error {
		unit, err = p.unitManager.Unit(ctx, name)
		return err
	})
	return unit, err
}

func (p patientUnits) Units(ctx context.Context, pattern string) (names []string, err error) {
	err = patiently(ctx, func() error {
		names, err = p.unitManager.Units(ctx, pattern)
		return err
	})
	return names, err
}

func (p patientUnits) Loaded(ctx context.Context, pattern string) (names []string, err error) {
	err = patiently(ctx, func() error {
		names, err = p.unitManager.Loaded(ctx, pattern)
		return err
	})
	return names, err
}

// patiently calls ask until systemd answers.
func patiently(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tries := backoff.Backoff{Next: 50 * time.Millisecond, Cap: time.Second}
	for {
		err := ask()
		if !errors.Is(err, systemd.ErrAway) || tries.Wait(ctx) != nil {
			return err
		}
	}
}
