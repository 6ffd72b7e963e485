package agent

import (
	"cmp"
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
)

// bootPhases returns the phases of a boot as of the start of systemd.
func bootPhases(ended []rundir.BootPhase, origin time.Duration) []api.Phase {
	phases := []api.Phase{}
	for i, p := range ended {
		if i == 0 {
			phases = append(phases, span("systemd", origin, p.Began, origin))
		}
		phase := span(p.Name, p.Began, p.Ended, origin)
		phase.Detail = p.Detail
		phases = append(phases, phase)
	}
	return phases
}

// span returns a phase between two times since the boot.
func span(name string, began, ended, origin time.Duration) api.Phase {
	return api.Phase{Name: name, At: seconds(began - origin), Seconds: seconds(max(ended-began, 0))}
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// startNames are what the phases of a container's life are called as parts of its start:
// by what each is spent on. The other phases are no part of it.
func startName(phase string) string {
	switch phase {
	case "waiting":
		return phaseDocker
	case "pulling":
		return "image"
	case "creating":
		return "create"
	case "starting":
		return "start"
	case "unready":
		return "ready"
	}
	return ""
}

// start returns how long the phases of a container's last start took until a time.
func start(name string, s rundir.State, origin, now time.Duration) api.Start {
	result := api.Start{Name: name, Image: s.Image, Phases: []api.Phase{}}
	for i, p := range s.Phases {
		if p.Phase == "running" {
			result.Ready = true
		}
		label := startName(p.Phase)
		if label == "" {
			break
		}
		ended := now
		if i+1 < len(s.Phases) {
			ended = s.Phases[i+1].Uptime
		}
		if label == "image" && s.Pull != nil {
			result.PulledBytes = s.Pull.Bytes
			result.Phases = append(result.Phases, pullPhases(s.Pull, p.Uptime, ended, origin)...)
		} else {
			result.Phases = append(result.Phases, span(label, p.Uptime, ended, origin))
		}
		result.Seconds = seconds(ended - s.Phases[0].Uptime)
	}
	return result
}

// pullPhases splits the phase in which an image is pulled. Failed tries come before the
// last pull.
func pullPhases(pull *rundir.Pull, began, ended, origin time.Duration) []api.Phase {
	var phases []api.Phase
	if pull.Began-began > failedTries {
		phases = append(phases, span("failed pulls", began, pull.Began, origin))
	}
	if pull.LoggedIn == 0 {
		return append(phases, span("login", pull.Began, ended, origin))
	}
	return append(phases, span("login", pull.Began, pull.LoggedIn, origin), span("pull", pull.LoggedIn, ended, origin))
}

// failedTries is more than it takes to find out that the host does not have an image, and
// less than the pause after a failed pull.
const failedTries = 900 * time.Millisecond

// analysis returns how long everything took, as far as it is known.
func (b *boot) analysis() (api.Analysis, error) {
	origin, now := b.systemdStart(), rundir.Uptime()
	result := api.Analysis{Version: api.Version, Boot: b.Phases(), Containers: []api.Start{}}
	names, err := b.dir.Containers()
	if err != nil {
		return result, err
	}
	for _, name := range names {
		if state, err := b.dir.State(name); err == nil && len(state.Phases) > 0 {
			result.Containers = append(result.Containers, start(name, state, origin, now))
		}
	}
	slices.SortStableFunc(result.Containers, func(a, b api.Start) int { return cmp.Compare(a.Phases[0].At, b.Phases[0].At) })
	return result, nil
}
