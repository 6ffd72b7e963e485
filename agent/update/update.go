// Package update decides about changes of a container: when a newer image or a changed
// assignment replaces what runs, whether the new container is well, and when the old
// one comes back. A Machine makes the updates of one container. What it does to the host
// is behind the interface Host, so that a simulation runs the same machine. The package
// itself touches only the files of its records.
package update

import (
	"context"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// Phase is a phase of an update, or its outcome.
type Phase string

// The phases, in their order.
const (
	PhaseChecking    Phase = "checking"
	PhaseFound       Phase = "found"
	PhaseVerifying   Phase = "verifying"
	PhasePulling     Phase = "pulling"
	PhaseWaiting     Phase = "waiting"
	PhaseReplacing   Phase = "replacing"
	PhaseSoaking     Phase = "soaking"
	PhaseRollingBack Phase = "rolling-back"
)

// The outcomes.
const (
	OutcomeConfirmed  Phase = "confirmed"
	OutcomeRolledBack Phase = "rolled-back"
	OutcomeRefused    Phase = "refused"
	// OutcomeFailed is that of an update that failed, and is not rolled back: its
	// failure action is pause or continue. It also answers a request when the registry
	// cannot be asked.
	OutcomeFailed Phase = "failed"
	// OutcomeSuperseded is that of an update that another one replaced before its own
	// outcome was known.
	OutcomeSuperseded Phase = "superseded"
	// OutcomeUnchanged answers a request when there is nothing newer, OutcomeFound one
	// that only checks.
	OutcomeUnchanged Phase = "unchanged"
	OutcomeFound     Phase = "found"
)

// Image is an image on the host.
type Image struct {
	// ID is Docker's ID of it. Digest is the registry's digest, or the ID if the image
	// is from no registry. Ref is REPOSITORY@DIGEST, "" if the image is from no registry.
	ID, Digest, Ref string
	// Digests are all digests that it has in its repository: several indexes may name it.
	Digests []string
	// HealthTime is how long the image's own health check takes to find out that a
	// container is unhealthy; 0 without one.
	HealthTime time.Duration
}

// Host is the host of one container.
type Host interface {
	assignment
	images
	gate
	unit

	// Show is called when what the machine does has changed, Tell for each outcome.
	Show(View)
	Tell(api.HistoryEntry)
}

// assignment is what is assigned to the host.
type assignment interface {
	// InForce returns the container in force, nil before the first, and the one that
	// was declared to replace it, nil without one.
	InForce() (current, declared *spec.Container)
	// Settings returns how a container is updated, with the defaults of the host.
	Settings(c *spec.Container) spec.Update
	// Place is the place of the host in its fleet, from 0 to 1, always the same.
	Place() float64
}

// images are the images of the host and of its registries.
type images interface {
	// Image returns the image that a container runs, or would run; a zero one if it is
	// not on the host, or damaged. An error says that Docker does not answer.
	Image(ctx context.Context, c *spec.Container) (Image, error)
	// Latest returns the digest that the registry has for the image of a container. The
	// error may have a method RetryAfter() time.Duration.
	Latest(ctx context.Context, c *spec.Container) (digest string, err error)
	// Prepare checks everything that a container needs, pulls its image, and returns it.
	// It does not disturb the container in force.
	Prepare(ctx context.Context, next *spec.Container, step func(Step)) (Image, error)
	// Keep protects an image of the container from being removed, as "previous" or
	// "current".
	Keep(ctx context.Context, as, id string) error
}

// gate is who else may delay an update.
type gate interface {
	// Gate returns why the container in force must not be stopped now, "" if it may be.
	// After "" the caller must call Passed once the update has ended.
	Gate(ctx context.Context, settings spec.Update) (why string)
	// Passed ends what Gate began; failed says that the update was rolled back.
	Passed(settings spec.Update, failed bool)
}

// unit is the unit of the container.
type unit interface {
	// Replace puts a container in force. Ensure has systemd run the one in force, if it
	// does not.
	Replace(ctx context.Context, next *spec.Container) error
	Ensure(ctx context.Context) error
	// Beside runs a container beside the one in force, and returns when it is ready. The
	// error is a [NotWellError] if it is not; any other means that it could not be run
	// there. EndBeside stops it.
	Beside(ctx context.Context, next *spec.Container) error
	EndBeside(ctx context.Context)
	// Stopped reports whether someone has stopped the container in force: it stays so.
	Stopped() bool
	// Observe returns how the container in force is. Changes receives when that may have
	// changed.
	Observe(ctx context.Context) (Observation, error)
	Changes() <-chan struct{}
	// Output returns the last lines that the container wrote since a time.
	Output(ctx context.Context, since time.Time) []string
	// Cured returns a channel that receives when what caused an error may have changed,
	// until done is called.
	Cured(err error) (cured <-chan struct{}, done func())
}

// Step is a step of a preparation.
type Step struct {
	Phase Phase
	// Doing describes it in a sentence. Done and Total are the bytes of a pull.
	Doing       string
	Done, Total int64
}

// NotWellError says why a container is not well.
type NotWellError struct{ Why string }

func (e *NotWellError) Error() string { return e.Why }
