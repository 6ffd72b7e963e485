package systemd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// together is how far apart two jobs may begin that one command has asked for.
const together = 2 * time.Second

// Stop is what systemd knows about the stop of a unit. It does not keep who has asked
// for one.
type Stop struct {
	// ActiveState, SubState and Result are those of the unit.
	ActiveState, SubState, Result string
	// Job is the type of the unit's job: "stop", "restart"; "" without one.
	Job string
	// System is the state of the manager: "running", "stopping", "maintenance".
	System string
	// Needs are the units whose stop stops this one, too. Conflicts are those whose start
	// does.
	Needs, Conflicts []Other
	// Owner is the unit whose stop together with this one, or since then, means both.
	Owner Other
	// OwnerCrashed says that the owner has ended by itself since someone started it, and that
	// systemd has started it again: nobody has stopped it.
	OwnerCrashed bool
	// Modes are the targets that stop most units: rescue and emergency mode.
	Modes []Other
}

// Other is a unit that may be the reason for the stop of another one.
type Other struct {
	Name, ActiveState string
	// Job is the type of its job, "" without one.
	Job string
	// Entered is when it became active last, Left when it left that state last.
	Entered, Left time.Time
}

// AskStop asks for the stop of a unit, whose owner is another unit.
func (m *Manager) AskStop(ctx context.Context, name, owner string) (Stop, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err != nil {
		return Stop{}, fmt.Errorf("ask why %s stops: %w", name, err)
	}
	stop, err := askStop(ctx, conn, name, owner)
	if err != nil {
		return Stop{}, fmt.Errorf("ask why %s stops: %w", name, translate(err))
	}
	return stop, nil
}

func askStop(ctx context.Context, conn *dbus.Conn, name, owner string) (Stop, error) {
	system, err := conn.GetManagerProperty("SystemState")
	if err != nil {
		return Stop{}, err
	}
	list, err := conn.ListJobsContext(ctx)
	if err != nil {
		return Stop{}, err
	}
	jobs := map[string]string{}
	for _, job := range list {
		jobs[job.Unit] = job.JobType
	}
	unit, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return Stop{}, err
	}
	stop := Stop{
		ActiveState: text(unit, "ActiveState"), SubState: text(unit, "SubState"), Result: text(unit, "Result"),
		Job: jobs[name], System: strings.Trim(system, `"`),
	}
	other := func(name string) (Other, error) {
		p, err := conn.GetUnitPropertiesContext(ctx, name)
		return Other{
			Name: name, ActiveState: text(p, "ActiveState"), Job: jobs[name],
			Entered: moment(p, "ActiveEnterTimestamp"), Left: moment(p, "ActiveExitTimestamp"),
		}, err
	}
	// systemd.unit(5) says which units are stopped with others.
	if stop.Needs, err = others(other, unit, "Requires", "Requisite", "BindsTo", "PartOf", "StopPropagatedFrom"); err != nil {
		return Stop{}, err
	}
	if stop.Conflicts, err = others(other, unit, "Conflicts", "ConflictedBy"); err != nil {
		return Stop{}, err
	}
	for _, mode := range []string{"rescue.target", "emergency.target"} {
		m, err := other(mode)
		if err != nil {
			return Stop{}, err
		}
		stop.Modes = append(stop.Modes, m)
	}
	if stop.Owner, err = other(owner); err != nil {
		return Stop{}, err
	}
	service, err := conn.GetUnitTypePropertiesContext(ctx, owner, "Service")
	if err != nil {
		return Stop{}, err
	}
	restarts, _ := service["NRestarts"].(uint32)
	stop.OwnerCrashed = restarts > 0
	return stop, nil
}

// others asks for the units that some properties of a unit name.
func others(ask func(name string) (Other, error), unit map[string]any, keys ...string) ([]Other, error) {
	var names []string
	for _, key := range keys {
		list, _ := unit[key].([]string)
		names = append(names, list...)
	}
	slices.Sort(names)
	var found []Other
	for _, name := range slices.Compact(names) {
		other, err := ask(name)
		if err != nil {
			return nil, err
		}
		found = append(found, other)
	}
	return found, nil
}

// Doubt returns why a unit that was stopped at a time, or later, was perhaps not stopped by
// a person who meant this unit; "" if it was.
func (s Stop) Doubt(at time.Time) string {
	switch s.System {
	case "starting", "running", "degraded":
	default:
		return "the system is " + s.System
	}
	switch {
	case s.Job != "" && s.Job != "stop":
		return "it has a job: " + s.Job
	case s.ActiveState == "deactivating" && s.Job == "":
		return "it ends by itself"
	case strings.HasPrefix(s.SubState, "auto-restart"):
		return "systemd starts it again"
	case s.ActiveState == "deactivating":
	case s.ActiveState != "inactive" && s.ActiveState != "failed":
		return "it is " + s.ActiveState
	case s.ActiveState == "failed" && s.Result != "exit-code":
		return "its result is " + s.Result
	}
	for _, other := range s.Needs {
		if why := other.stops(at); why != "" {
			return other.Name + why
		}
	}
	for _, other := range s.Conflicts {
		if isUp(other.ActiveState) || other.ActiveState == "activating" || other.Job == "start" || other.Job == "restart" {
			return other.Name + " conflicts with it"
		}
	}
	for _, mode := range s.Modes {
		if !mode.Entered.IsZero() && mode.Entered.After(at.Add(-together)) {
			return mode.Name + " was reached"
		}
	}
	if s.Owner.Job == "stop" || !s.OwnerCrashed && !s.Owner.Left.IsZero() && s.Owner.Left.After(at.Add(-together)) {
		return s.Owner.Name + " was stopped, too"
	}
	return ""
}

// stops returns how the stop of a unit may be the reason for another one since a time,
// "" if it is not.
func (o Other) stops(since time.Time) string {
	switch {
	case !isUp(o.ActiveState):
		return " does not run"
	case o.Job == "stop" || o.Job == "restart" || o.Job == "try-restart":
		return " has a job: " + o.Job
	case o.Entered.After(since):
		return " was started since"
	}
	return ""
}

func isUp(state string) bool {
	return state == "active" || state == "reloading" || state == "refreshing"
}
