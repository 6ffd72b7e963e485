package policy

import (
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// unit judges unit settings, which a rule names as "KEY" or "SECTION.KEY". A setting
// that may reach out of its own unit has to be named without a pattern, also with
// default: allow. The start limit, which restart: on-failure:COUNT sets, and the delay,
// which deploy.restart_policy sets, are always allowed.
func (c *check) unit(settings []spec.UnitSetting) {
	for _, setting := range settings {
		name := setting.Section + "." + setting.Key
		switch name {
		case "Unit.StartLimitIntervalSec", "Unit.StartLimitBurst", "Service.RestartSec":
			continue
		}
		allowed := c.names("unit_settings", func(entry string) bool { return entry == setting.Key || entry == name })
		if !allowed && staysInUnit(setting) {
			allowed = c.allows("unit_settings", func(entry string) bool { return matches(entry, setting.Key) || matches(entry, name) })
		}
		if !allowed {
			c.refuse("unit_settings", "the unit setting "+document.Shorten(name))
		}
	}
}

// staysInUnit reports whether a setting acts on the unit alone: it runs no program on
// the host, opens no file of it, and starts and stops no other units than those of
// containers.
func staysInUnit(s spec.UnitSetting) bool {
	known := serviceSettings()
	if s.Section == "Unit" {
		known = unitSettings()
		if slices.Contains(dependencies(), s.Key) {
			return onContainers(s.Value)
		}
	}
	return slices.ContainsFunc(known, func(pattern string) bool { return matches(pattern, s.Key) })
}

// unitSettings are patterns of the settings of [Unit] that stay in the unit
// (systemd.unit(5)).
func unitSettings() []string {
	return []string{
		"After", "Before", "Condition*", "Assert*", "Description", "Documentation", "DefaultDependencies", "IgnoreOnIsolate", "CollectMode",
		"JobTimeoutSec", "JobRunningTimeoutSec", "StopWhenUnneeded", "SurviveFinalKillSignal",
	}
}

// serviceSettings are patterns of the settings of [Service] that stay in the unit
// (systemd.service(5), systemd.exec(5), systemd.kill(5), systemd.resource-control(5)).
func serviceSettings() []string {
	return []string{
		"CPU*", "StartupCPU*", "Memory*", "StartupMemory*", "DefaultMemory*", "DefaultStartupMemory*", "AllowedCPUs", "AllowedMemoryNodes",
		"StartupAllowed*", "IO*", "StartupIO*", "BlockIO*", "StartupBlockIO*", "Tasks*", "ManagedOOM*", "OOMPolicy", "OOMScoreAdjust",
		"IPAccounting", "IPAddressAllow", "IPAddressDeny", "SocketBindAllow", "SocketBindDeny", "Restrict[A-Z]*", "Limit*", "Nice", "CoredumpFilter",
		"Timeout*", "Watchdog*", "RuntimeMaxSec", "RuntimeRandomizedExtraSec", "Restart", "Restart[A-Z]*", "SuccessExitStatus", "KillSignal", "RestartKillSignal",
		"FinalKillSignal", "SendSIGHUP", "SendSIGKILL", "NUMA*", "Syslog*", "Log[LR]*", "UMask", "Personality", "KeyringMode", "IgnoreSIGPIPE", "TimerSlackNSec",
		"NoNewPrivileges", "CapabilityBoundingSet", "LockPersonality", "MemoryDenyWriteExecute", "Protect*", "Private[A-Z]*", "RemoveIPC", "SecureBits",
		"SystemCall*", "ReadOnlyPaths", "ReadWritePaths", "ExecPaths", "ProcSubset", "DisableControllers", "CoredumpReceive", "UnsetEnvironment", "NotifyState",
	}
}

// dependencies are the settings of [Unit] that start, stop or reload the units that they
// name.
func dependencies() []string {
	return []string{
		"Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds", "Conflicts", "OnFailure", "OnSuccess", "PropagatesReloadTo", "ReloadPropagatedFrom",
		"PropagatesStopTo", "StopPropagatedFrom",
	}
}

// onContainers reports whether a list of units has units of containers alone.
func onContainers(list string) bool {
	return !slices.ContainsFunc(strings.Fields(list), func(unit string) bool {
		name, isContainer := spec.ContainerName(unit)
		return !isContainer || spec.CheckName(name) != nil
	})
}
