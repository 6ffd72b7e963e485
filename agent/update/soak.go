package update

import (
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// Observation is how a container is.
type Observation struct {
	// Hash is the [spec.Container.Hash] of what runs, "" if nothing does.
	Hash string
	// Ready says whether it is ready by its notify mode, and Since when it is.
	Ready bool
	Since time.Time
	// Finished says that it has done its work, and is not started again.
	Finished bool
	// Ended says that its supervisor has ended: systemd will start it again, or the unit
	// has failed.
	Ended bool
	// Restarts is how often systemd has restarted the unit by itself.
	Restarts int
	// OOMKills is how many of its processes the kernel has killed since it was started,
	// because memory was used up. It runs all the same.
	OOMKills int64
	// Health is Docker's, "" without a health check.
	Health string
	// Failure is the last failure; zero without one.
	Failure Failure
	// Image is the image that runs.
	Image Image
}

// Failure is a failure of a container.
type Failure struct {
	At      time.Time
	Message string
	// Hash is the [spec.Container.Hash] of the declaration to blame, "" if none is.
	Hash string
}

// verdict is what an observation says about an update.
type verdict int

const (
	// undecided says that the container has to be observed longer.
	undecided verdict = iota
	well
	notWell
)

// maxUnexplained is how often a container may be restarted for reasons that are not
// known, before it is not well.
const maxUnexplained = 3

// soak is the time for which a container is observed after it was put in force.
type soak struct {
	// hash is what should run.
	hash string
	// since is when it was put in force, length how long it must be ready and well; at
	// least check, in which its health check finds out that it is unhealthy.
	since         time.Time
	length, check time.Duration
	// restarts is how often systemd had restarted the unit before. unexplained is how
	// often it has since, without a failure that is to blame.
	restarts, unexplained int
	// kills is [Observation.OOMKills] before.
	kills int64
}

// newSoak returns the soak of a container, without its length.
func newSoak(c *spec.Container, image Image, since time.Time) *soak {
	return &soak{hash: c.Hash(), since: since, check: healthTime(c, image)}
}

// Docker's defaults for health checks: https://docs.docker.com/reference/dockerfile/#healthcheck
const (
	healthInterval = 30 * time.Second
	healthRetries  = 3
)

// HealthTime returns how long a health check takes to find out that a container is
// unhealthy: start_period + interval × retries; 0 for none.
func HealthTime(check *container.HealthConfig) time.Duration {
	if check == nil || len(check.Test) == 0 || check.Test[0] == "NONE" {
		return 0
	}
	interval, retries := check.Interval, check.Retries
	if interval == 0 {
		interval = healthInterval
	}
	if retries == 0 {
		retries = healthRetries
	}
	return check.StartPeriod + interval*time.Duration(retries)
}

func healthTime(c *spec.Container, image Image) time.Duration {
	if c.Config == nil || c.Config.Healthcheck == nil || len(c.Config.Healthcheck.Test) == 0 {
		return image.HealthTime
	}
	return HealthTime(c.Config.Healthcheck)
}

// judge returns whether the container is well, and why not. Undecided, it returns when
// the same observation would decide; zero if it never would.
func (s *soak) judge(o Observation, now time.Time) (v verdict, why string, at time.Time) {
	restarted := o.Restarts > s.restarts
	blamed := o.Failure.Hash == s.hash && o.Failure.At.After(s.since)
	switch {
	case o.Hash != s.hash:
		return undecided, "", time.Time{}
	case blamed && (o.Ended || restarted):
		return notWell, o.Failure.Message, time.Time{}
	case o.Health == container.Unhealthy:
		return notWell, "its health check fails", time.Time{}
	case o.Finished:
		return well, "", time.Time{}
	case restarted:
		// The declaration is not to blame, Docker may have been restarted. What failed
		// by itself fails again.
		if s.unexplained += o.Restarts - s.restarts; s.unexplained > maxUnexplained {
			return notWell, fmt.Sprintf("systemd has restarted it %d times", s.unexplained), time.Time{}
		}
		s.restarts, s.since, s.kills = o.Restarts, now, 0
		return undecided, "", time.Time{}
	case o.OOMKills > s.kills:
		return notWell, "out of memory: the kernel has killed a process in it", time.Time{}
	case !o.Ready:
		return undecided, "", time.Time{}
	}
	at = later(o.Since, s.since).Add(s.length)
	if now.Before(at) {
		return undecided, "", at
	}
	return well, "", time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
