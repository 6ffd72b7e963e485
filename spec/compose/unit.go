package compose

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/update"
)

// applyDockhost reads x-dockhost. Its values are not interpolated, because "$" and
// "$$" have their own meaning in systemd.
func (d *declaration) applyDockhost(c *spec.Container) {
	c.Notify, c.PullStallTimeout = spec.NotifyStarted, spec.DefaultPullStallTimeout
	if !d.dockhost.Present() || d.dockhost.IsNull() {
		return
	}
	if !d.dockhost.IsMapping() {
		d.Errorf(d.dockhost, "not a mapping: write gpu:, mounts:, notify:, pull_stall_timeout:, reload:, unit: or update: below it, indented")
		return
	}
	for name, value := range d.dockhost.Fields() {
		switch name {
		case "gpu":
			d.gpu = d.gpuOptions(value)
		case "mounts":
			c.Mounts = d.mounts(value)
		case "notify":
			c.Notify = d.notify(value, c)
		case "pull_stall_timeout":
			c.PullStallTimeout = d.stallTimeout(value)
		case "reload":
			c.Reload = d.reload(value)
		case "unit":
			c.Unit = append(c.Unit, d.unit(value)...)
		case "update":
			c.Update = update.Parse(d.Report, value)
		default:
			d.UnknownKey(value, name, []string{"gpu", "mounts", "notify", "pull_stall_timeout", "reload", "unit", "update"}, "")
		}
	}
	d.checkWatchdog(c)
	c.Unit = overridden(c.Unit)
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
			d.Errorf(content, "cannot set [Install] in a drop-in: the agent starts the unit")
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
			d.Errorf(value, "cannot use %q as the name of a unit setting: use letters and digits", document.Shorten(key))
			continue
		case reserved(section, key) != "":
			d.Errorf(value, "cannot set %s: %s", key, reserved(section, key))
			continue
		}
		d.warnUnknown(value, section, key)
		values := []spot{value}
		if value.IsList() {
			values = nil
			for _, item := range value.Items() {
				values = append(values, item)
			}
		}
		if key == "RestrictAddressFamilies" && !allowsUnix(values) {
			d.Errorf(value, "cannot use this: the supervisor reaches Docker and systemd by UNIX sockets: allow AF_UNIX, too")
		}
		for _, one := range values {
			if d.checkSetting(one) {
				settings = append(settings, spec.UnitSetting{Section: section, Key: key, Value: one.Text()})
			}
		}
	}
	return settings
}

// checkSetting reports whether a value fits on one line of a unit file. More lines
// would be unchecked settings.
func (d *declaration) checkSetting(at spot) bool {
	switch value := at.Text(); {
	case !at.IsScalar():
		d.Errorf(at, "not a value: write a string, a number or a list of these")
	case strings.ContainsFunc(value, unicode.IsControl):
		d.Errorf(at, "a unit setting cannot contain line breaks or control characters")
	case strings.HasSuffix(strings.TrimSpace(value), `\`):
		d.Errorf(at, "cannot end with a backslash: it would join the next line of the unit file")
	default:
		return true
	}
	return false
}

// allowsUnix reports whether RestrictAddressFamilies= allows UNIX sockets. The first
// value decides whether it is a list of what is allowed or of what is denied.
func allowsUnix(values []spot) bool {
	allowed, first := true, true
	for _, value := range values {
		list, denies := strings.CutPrefix(value.Text(), "~")
		switch {
		case value.Text() == "":
			allowed, first = true, true
			continue
		case slices.Contains(strings.Fields(list), "AF_UNIX"):
			allowed = !denies
		case first:
			allowed = denies
		}
		first = false
	}
	return allowed
}

// reserved returns the reason why a setting cannot be set, or "".
func reserved(section, key string) string {
	if section == "Unit" {
		switch key {
		case "RefuseManualStart", "RefuseManualStop":
			return "the agent starts and stops the unit"
		}
		return ""
	}
	const (
		supervision = "the supervisor depends on it"
		devices     = "systemd would then block the container's devices"
		files       = "the supervisor would not find its own files"
		user        = "the supervisor must run as root: set user in the service"
	)
	switch key {
	case "ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecReload":
		return "dockhost needs it to run the container: put programs into the image, or into another unit"
	case "Type", "NotifyAccess", "KillMode", "Delegate", "DelegateSubgroup", "RemainAfterExit", "GuessMainPID", "PIDFile",
		"BusName", "FileDescriptorStoreMax", "ReloadSignal", "ProtectControlGroups", "ProtectControlGroupsEx", "PrivatePIDs":
		return supervision
	case "DevicePolicy", "DeviceAllow", "PrivateDevices", "ProtectClock", "MountImages", "ExtensionImages", "RootImage":
		return devices
	case "RootDirectory", "RootDirectoryStartOnly", "RootEphemeral", "InaccessiblePaths", "TemporaryFileSystem", "NoExecPaths":
		return files
	case "User", "Group", "DynamicUser", "PrivateUsers", "SupplementaryGroups", "PAMName":
		return user
	}
	return ""
}
