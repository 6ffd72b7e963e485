package systemd

import (
	"context"
	"fmt"
	"time"
)

// Unit is the state of a service.
type Unit struct {
	Name string
	// LoadState, ActiveState and SubState are the properties of these names.
	LoadState, ActiveState, SubState string
	// Result is "success", "exit-code", "timeout", ...
	Result string
	// StatusText is the last STATUS= of the service.
	StatusText string
	// Since is when the unit entered its current state, zero if it was never
	// started.
	Since time.Time
	// LeftActive is when the unit last left the state active, to stop or because it
	// failed; zero if it never did. A reload does not change it.
	LeftActive time.Time
	// Restarts is the number of automatic restarts (NRestarts).
	Restarts int
	// ExitStatus is the last exit status of the main process, ExitedAt when it ended; zero
	// if it never did.
	ExitStatus int
	ExitedAt   time.Time
	// ControlGroup is the path of the unit's cgroup ("/system.slice/web.service"), "" while
	// it has none.
	ControlGroup string
	// TimeoutStart and TimeoutStop are TimeoutStartUSec and TimeoutStopUSec, 0 for no
	// limit.
	TimeoutStart, TimeoutStop time.Duration
	// Delegate says whether the unit's cgroup is delegated to the service.
	Delegate bool
	// KillMode says which processes get systemd's signals at a stop: "control-group",
	// "mixed", "process" or "none".
	KillMode string
	// DevicePolicy says which devices the unit's processes may open: "auto" means all,
	// unless DeviceAllow= is set. AllowsDevices says that it is.
	DevicePolicy  string
	AllowsDevices bool
	// Type is the service's Type=: "notify", "oneshot", ...
	Type string
	// MainPID is the service's main process; 0 if it has none, as in ExecStartPre=.
	MainPID int
	// Syslog are the settings for the journal.
	Syslog Syslog
	// DropIns are the paths of the drop-ins that systemd has read for the unit.
	DropIns []string
	// Job says whether the unit has a waiting or running job.
	Job bool
}

// Active says whether the unit is active or starting.
func (u Unit) Active() bool {
	switch u.ActiveState {
	case "active", "activating", "reloading", "refreshing":
		return true
	}
	return false
}

// LimitsDevices says whether systemd limits the devices that the unit's processes may
// open.
func (u Unit) LimitsDevices() bool {
	return u.DevicePolicy != "" && u.DevicePolicy != "auto" || u.AllowsDevices
}

// Unit returns the state of a service. The service need not be loaded.
func (m *Manager) Unit(ctx context.Context, name string) (Unit, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := m.connect(ctx)
	if err != nil {
		return Unit{}, fmt.Errorf("get the properties of %s: %w", name, err)
	}
	properties, err := conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("get the properties of %s: %w", name, translate(err))
	}
	return unitFrom(name, properties), nil
}

func unitFrom(name string, properties map[string]any) Unit {
	u := Unit{
		Name:        name,
		LoadState:   text(properties, "LoadState"),
		ActiveState: text(properties, "ActiveState"),
		SubState:    text(properties, "SubState"),
		Result:      text(properties, "Result"),
		StatusText:  text(properties, "StatusText"),
	}
	u.Since, u.LeftActive = moment(properties, "StateChangeTimestamp"), moment(properties, "ActiveExitTimestamp")
	if n, ok := properties["NRestarts"].(uint32); ok {
		u.Restarts = int(n)
	}
	if status, ok := properties["ExecMainStatus"].(int32); ok {
		u.ExitStatus = int(status)
	}
	u.ExitedAt, u.ControlGroup = moment(properties, "ExecMainExitTimestamp"), text(properties, "ControlGroup")
	u.TimeoutStart, u.TimeoutStop = span(properties, "TimeoutStartUSec"), span(properties, "TimeoutStopUSec")
	u.Delegate, _ = properties["Delegate"].(bool)
	u.KillMode, u.DevicePolicy = text(properties, "KillMode"), text(properties, "DevicePolicy")
	devices, _ := properties["DeviceAllow"].([][]any)
	u.AllowsDevices = len(devices) > 0
	u.Type = text(properties, "Type")
	if pid, ok := properties["MainPID"].(uint32); ok {
		u.MainPID = int(pid)
	}
	u.Syslog = syslogFrom(properties)
	u.DropIns, _ = properties["DropInPaths"].([]string)
	if job, ok := properties["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		u.Job = id != 0
	}
	return u
}

func syslogFrom(properties map[string]any) Syslog {
	s := defaultSyslog()
	if facility, ok := properties["SyslogFacility"].(int32); ok {
		s.Facility = int(facility)
	}
	if level, ok := properties["SyslogLevel"].(int32); ok {
		s.Level = int(level)
	}
	if prefix, ok := properties["SyslogLevelPrefix"].(bool); ok {
		s.LevelPrefix = prefix
	}
	s.Identifier = text(properties, "SyslogIdentifier")
	s.Output, s.Error = text(properties, "StandardOutput"), text(properties, "StandardError")
	return s
}

// moment returns a point in time, zero if it never came.
func moment(properties map[string]any, key string) time.Time {
	usec, _ := properties[key].(uint64)
	if usec == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(usec)) //nolint:gosec // microseconds since 1970 fit
}

// span returns a duration, 0 for USEC_INFINITY, the largest uint64.
func span(properties map[string]any, key string) time.Duration {
	if usec, _ := properties[key].(uint64); usec < 1<<62/1000 {
		return time.Duration(usec) * time.Microsecond
	}
	return 0
}

func text(properties map[string]any, key string) string {
	s, _ := properties[key].(string)
	return s
}
