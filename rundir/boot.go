package rundir

import (
	"path/filepath"
	"time"
)

// BootPhase is a phase of the boot that the agent has a part in.
type BootPhase struct {
	Name string `json:"name"`
	// Began and Ended are the times since the boot, as [Uptime].
	Began time.Duration `json:"began"`
	Ended time.Duration `json:"ended"`
	// Detail says what it was about: the datasource, for the user data.
	Detail string `json:"detail,omitempty"`
}

// BootPhases returns the phases of this boot that have ended, nil without any.
func (d Dir) BootPhases() []BootPhase {
	var phases []BootPhase
	if read(d.boot(), &phases) != nil {
		return nil
	}
	return phases
}

// SetBootPhases records the phases of this boot.
func (d Dir) SetBootPhases(phases []BootPhase) error { return write(d.boot(), phases) }

func (d Dir) boot() string { return filepath.Join(string(d), "boot.json") }
