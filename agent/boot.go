package agent

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
)

// The phases of a boot that the agent has a part in. They may overlap.
const (
	// phaseUserData is the time until the user data was read for the first time.
	phaseUserData = "user data"
	// phaseAssignment is the time until systemd was asked to start what is assigned.
	phaseAssignment = "assignment"
	// phaseDocker is the time until Docker answered the agent.
	phaseDocker = "docker"
)

// boot records when the phases of this boot began and ended. Each is recorded once: an
// agent that is started again finds those of the boot.
type boot struct {
	dir rundir.Dir
	log *zap.Logger
	// began is when the agent began.
	began time.Duration
	// origin returns when systemd started, as [rundir.Uptime]; nil if nobody knows.
	origin func() time.Duration

	mu     sync.Mutex
	phases []rundir.BootPhase
}

func newBoot(dir rundir.Dir, origin func() time.Duration, log *zap.Logger) *boot {
	return &boot{dir: dir, origin: origin, log: log, began: rundir.Uptime(), phases: dir.BootPhases()}
}

// Phases returns the phases of this boot that have ended, the first being the time from
// the start of systemd to that of the agent. dockhost_boot_phase_seconds has them.
func (b *boot) Phases() []api.Phase {
	b.mu.Lock()
	ended := slices.Clone(b.phases)
	b.mu.Unlock()
	return bootPhases(ended, b.systemdStart())
}

func (b *boot) systemdStart() time.Duration {
	if b.origin == nil {
		return 0
	}
	return b.origin()
}

// end records that a phase ends now that began with the agent.
func (b *boot) end(name, detail string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.phases, func(p rundir.BootPhase) bool { return p.Name == name }) {
		return
	}
	b.phases = append(b.phases, rundir.BootPhase{Name: name, Began: b.began, Ended: rundir.Uptime(), Detail: detail})
	b.save()
}

// restore writes the file again that someone may have removed or changed.
func (b *boot) restore() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.phases) > 0 {
		b.save()
	}
}

// save writes the file. The caller holds mu.
func (b *boot) save() {
	if err := b.dir.SetBootPhases(b.phases); err != nil {
		b.log.Debug("phases of the boot not recorded", zap.Error(err))
	}
}
