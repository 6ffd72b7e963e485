package compose

import (
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/spec"
)

// applyDockhost reads x-dockhost. Its values are taken as they are, without
// Compose's variables: systemd has a meaning of its own for "$" and "$$".
func (d *declaration) applyDockhost(made *spec.Container) {
	made.Notify, made.PullStallTimeout = spec.NotifyStarted, spec.DefaultPullStallTimeout
	if !d.dockhost.Present() || d.dockhost.IsNull() {
		return
	}
	if !d.dockhost.IsMapping() {
		d.Errorf(d.dockhost, "not a mapping: write gpu:, mounts:, notify:, pull_stall_timeout:, reload: or unit: below it, indented")
		return
	}
	for name, value := range d.dockhost.Fields() {
		switch name {
		case "gpu":
			d.gpu = d.gpuOptions(value)
		case "mounts":
			made.Mounts = d.mounts(value)
		case "notify":
			made.Notify = d.notify(value, made)
		case "pull_stall_timeout":
			made.PullStallTimeout = d.stallTimeout(value)
		case "reload":
			made.Reload = d.reload(value)
		case "unit":
			made.Unit = append(made.Unit, d.unit(value)...)
		default:
			d.UnknownKey(value, name, []string{"gpu", "mounts", "notify", "pull_stall_timeout", "reload", "unit"}, "")
		}
	}
	d.checkWatchdog(made)
	made.Unit = overridden(made.Unit)
}

func (d *declaration) stallTimeout(at spot) time.Duration {
	var timeout types.Duration
	if !at.IsScalar() || timeout.DecodeMapstructure(at.Text()) != nil || timeout <= 0 {
		d.Errorf(at, "cannot use this as a time: write a number and a unit, such as 60s")
	}
	return time.Duration(timeout)
}

// directive is the name of a setting in a unit file.
var directive = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// unit reads the settings of a drop-in, in the order of the source.
func (d *declaration) unit(at spot) []spec.UnitSetting {
	if at.IsNull() {
		return nil
	}
	if !at.IsMapping() {
		d.Errorf(at, "not a mapping: write Service: or Unit: below it, indented")
		return nil
	}
	var settings []spec.UnitSetting
	for section, content := range at.Fields() {
		switch {
		case section == "Install":
			d.Errorf(content, "a drop-in takes no [Install]: the agent starts the unit")
		case section != "Unit" && section != "Service":
			d.UnknownKey(content, section, []string{"Unit", "Service"}, "")
		case !content.IsMapping() && !content.IsNull():
			d.Errorf(content, "not a mapping: write KEY: VALUE below it, indented")
		default:
			settings = append(settings, d.section(section, content)...)
		}
	}
	return settings
}

func (d *declaration) section(section string, at spot) []spec.UnitSetting {
	var settings []spec.UnitSetting
	for key, value := range at.Fields() {
		switch {
		case !directive.MatchString(key):
			d.Errorf(value, "%q is no name of a unit setting: use letters and digits", document.Shorten(key))
			continue
		case reserved(section, key) != "":
			d.Errorf(value, "cannot set %s: %s", key, reserved(section, key))
			continue
		}
		values := []spot{value}
		if value.IsList() {
			values = nil
			for _, item := range value.Items() {
				values = append(values, item)
			}
		}
		for _, one := range values {
			if d.checkSetting(one) {
				settings = append(settings, spec.UnitSetting{Section: section, Key: key, Value: one.Text()})
			}
		}
	}
	return settings
}

// checkSetting reports whether a value is one line of a unit file: more would
// be settings that nobody checks.
func (d *declaration) checkSetting(at spot) bool {
	switch value := at.Text(); {
	case !at.IsScalar():
		d.Errorf(at, "not a value: write a string, a number or a list of these")
	case strings.ContainsFunc(value, unicode.IsControl):
		d.Errorf(at, "cannot have a line break or a control character in a unit setting")
	case strings.HasSuffix(strings.TrimSpace(value), `\`):
		d.Errorf(at, "cannot end in a backslash: it would join the next line of the unit file")
	default:
		return true
	}
	return false
}

// reserved says why a setting would break the supervision, or "".
func reserved(section, key string) string {
	if section == "Unit" {
		switch key {
		case "RefuseManualStart", "RefuseManualStop":
			return "the agent starts and stops the unit"
		}
		return ""
	}
	const (
		supervision = "it belongs to the supervision of the container"
		devices     = "systemd would then guard the devices of the unit and take the container's away"
		files       = "the supervisor would not find its own files"
		user        = "the supervisor must be root: set user in the service"
	)
	switch key {
	case "ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecReload":
		return "the unit starts and stops the container: put programs into the image, or into a unit of their own"
	case "Type", "NotifyAccess", "KillMode", "Delegate", "DelegateSubgroup", "RemainAfterExit", "GuessMainPID", "PIDFile",
		"BusName", "Sockets", "NonBlocking", "FileDescriptorStoreMax", "ReloadSignal", "ProtectControlGroups", "ProtectControlGroupsEx", "PrivatePIDs":
		return supervision
	case "DevicePolicy", "DeviceAllow", "PrivateDevices", "ProtectClock", "MountImages", "ExtensionImages", "RootImage":
		return devices
	case "RootDirectory", "RootDirectoryStartOnly", "RootEphemeral", "InaccessiblePaths", "TemporaryFileSystem":
		return files
	case "User", "Group", "DynamicUser", "PrivateUsers", "SupplementaryGroups", "PAMName":
		return user
	}
	return ""
}
