package rundir

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// PhaseStart is when a phase began.
type PhaseStart struct {
	Phase string `json:"phase"`
	// Uptime is the time since the boot, by a clock that nobody sets ([Uptime]).
	Uptime time.Duration `json:"uptime"`
}

// Pull is a pull of an image.
type Pull struct {
	// Began is when it began, LoggedIn when the login was known and the Engine was
	// asked, and Ended when it had ended, each as [Uptime]. Ended is 0 until then, and
	// if the pull failed.
	Began    time.Duration `json:"began"`
	LoggedIn time.Duration `json:"logged_in,omitempty"`
	Ended    time.Duration `json:"ended,omitempty"`
	// At is when it had ended, by the clock of the host.
	At time.Time `json:"at,omitzero"`
	// Bytes is how much was downloaded.
	Bytes int64 `json:"bytes,omitempty"`
}

// Uptime returns the time since the boot, as systemd counts it (CLOCK_MONOTONIC). A
// clock that is set does not change it.
func Uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// Stopped reports whether the container was asked to stop in this start.
func (s *State) Stopped() bool {
	return slices.ContainsFunc(s.Phases, func(p PhaseStart) bool { return p.Phase == "stopping" })
}

// Took returns how long the start took until the phase that was entered last.
func (s *State) Took() time.Duration {
	if len(s.Phases) == 0 {
		return 0
	}
	return s.Phases[len(s.Phases)-1].Uptime - s.Phases[0].Uptime
}

// Enter records that a phase begins now. A phase that begins again, after docker restart,
// takes the place of the earlier one and of those that followed it.
func (s *State) Enter(phase string, at time.Time) {
	s.Phase, s.Since = phase, at
	if i := slices.IndexFunc(s.Phases, func(p PhaseStart) bool { return p.Phase == phase }); i >= 0 {
		s.Phases = s.Phases[:i]
	}
	s.Phases = append(s.Phases, PhaseStart{Phase: phase, Uptime: Uptime()})
}
