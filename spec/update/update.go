// Package update parses the settings of updates, in user data, in Compose files and in
// dockhost.yaml, and says what they mean. It is pure.
package update

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

const (
	// minCheck bounds the load that a host puts on a registry.
	minCheck = 10 * time.Second
	// maxCheck, maxMonitor and maxHold bound the other times.
	maxCheck   = 30 * 24 * time.Hour
	maxMonitor = 24 * time.Hour
	maxHold    = 24 * time.Hour
	// maxPauseAfter and maxWindows bound counts.
	maxPauseAfter = 100
	maxWindows    = 50
)

// Keys returns the keys of x-dockhost.update.
func Keys() document.Keys {
	return document.Only("check", "pause_after", "policy", "wariness", "window").
		With("fleet_lock", document.Only("base_url", "group", "hold_after_failure")).
		With("lock", document.Only("exec", "file"))
}

// HostKeys returns the keys of update: in dockhost.yaml. A service has the additional
// ones in Compose's deploy.update_config.
func HostKeys() document.Keys {
	return Keys().With("failure_action", document.Keys{}).With("monitor", document.Keys{}).With("order", document.Keys{}).
		With("webhook", document.Only("secret_file", "url"))
}

// Parse parses x-dockhost.update and reports problems. It returns nil if there is no
// value.
func Parse(report *document.Report, at document.Spot) *spec.Update {
	r := reader{report}
	if !r.mapping(at, "policy: registry") {
		return nil
	}
	for name, value := range at.Fields() {
		if cure := elsewhere(name); cure != "" {
			r.UnknownKey(value, name, nil, cure)
		}
	}
	at = at.Without(func(name string) bool { return elsewhere(name) != "" })
	return r.update(r.Check(at, Keys()))
}

// elsewhere says where a key belongs that dockhost.yaml has and x-dockhost.update does
// not, "" for other keys.
func elsewhere(key string) string {
	switch key {
	case "failure_action", "monitor", "order":
		return "here: write it in deploy.update_config"
	case "webhook":
		return "here: it is a setting of the host, in /etc/dockhost/dockhost.yaml"
	}
	return ""
}

// ParseHost is [Parse] for update: in dockhost.yaml. It leaves webhook to its caller.
func ParseHost(report *document.Report, at document.Spot) *spec.Update {
	r := reader{report}
	if !r.mapping(at, "policy: registry") {
		return nil
	}
	at = r.Check(at, HostKeys())
	u := r.update(at)
	u.Order = Order(report, at.Field("order"))
	u.FailureAction = FailureAction(report, at.Field("failure_action"))
	u.Monitor = Monitor(report, at.Field("monitor"))
	CheckMonitor(report, at.Field("monitor"), u)
	return u
}

// reader reports problems while it reads.
type reader struct {
	*document.Report
}

func (r reader) update(at document.Spot) *spec.Update {
	return &spec.Update{
		Policy:     spec.UpdatePolicy(word(r.Report, at.Field("policy"), string(spec.UpdateNone), string(spec.UpdateRegistry))),
		Check:      r.duration(at.Field("check"), minCheck, maxCheck),
		Windows:    r.windows(at.Field("window")),
		PauseAfter: r.pauseAfter(at.Field("pause_after")),
		Lock:       r.lock(at.Field("lock")),
		FleetLock:  r.fleetLock(at.Field("fleet_lock")),
		Wariness:   r.wariness(at.Field("wariness")),
	}
}

// isSet reports whether a key has a value.
func isSet(at document.Spot) bool { return at.Present() && !at.IsNull() }

// mapping reports whether a key has a mapping.
func (r reader) mapping(at document.Spot, example string) bool {
	if isSet(at) && !at.IsMapping() {
		r.Errorf(at, "not a mapping: write settings such as %s below it, indented", example)
	}
	return at.IsMapping()
}

// word reads one of some words, "" if the key has no value.
func word(report *document.Report, at document.Spot, allowed ...string) string {
	text := at.Text()
	if !isSet(at) {
		return ""
	}
	for _, one := range allowed {
		if text == one {
			return one
		}
	}
	hint := ""
	if near := document.Nearest(text, allowed); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	last := len(allowed) - 1
	report.Errorf(at, "unknown value%s: use %s or %s", hint, strings.Join(allowed[:last], ", "), allowed[last])
	return ""
}

// Order reads the order of stop and start, "" if the key has no value.
func Order(report *document.Report, at document.Spot) spec.UpdateOrder {
	return spec.UpdateOrder(word(report, at, string(spec.StopFirst), string(spec.StartFirst)))
}

// FailureAction reads what follows a failed update, "" if the key has no value.
func FailureAction(report *document.Report, at document.Spot) spec.FailureAction {
	return spec.FailureAction(word(report, at, string(spec.FailureRollback), string(spec.FailurePause), string(spec.FailureContinue)))
}

// Monitor reads how long a container must stay well, 0 if the key has no value.
func Monitor(report *document.Report, at document.Spot) time.Duration {
	return reader{report}.duration(at, time.Second, maxMonitor)
}

// duration reads a time within limits, 0 if the key has no value.
func (r reader) duration(at document.Spot, least, most time.Duration) time.Duration {
	if !isSet(at) {
		return 0
	}
	d, ok := parseSpan(at.Text())
	switch {
	case !ok:
		r.Errorf(at, "not a time: write a number and a unit, such as 90s, 5m or 1h30m")
	case d < least:
		r.Errorf(at, "too short: write %s or more", textOf(least))
	case d > most:
		r.Errorf(at, "too long: write %s or less", textOf(most))
	default:
		return d
	}
	return 0
}

// windows reads one window or a list of them.
func (r reader) windows(at document.Spot) []string {
	if !isSet(at) {
		return nil
	}
	spots := []document.Spot{at}
	if at.IsList() {
		spots = nil
		for _, item := range at.Items() {
			spots = append(spots, item)
		}
	}
	if len(spots) > maxWindows {
		r.Errorf(at, "more than %d windows: write fewer, with lists such as Sat,Sun in them", maxWindows)
		return nil
	}
	var windows []string
	for _, item := range spots {
		w, err := ParseWindow(item.Text())
		if err != nil {
			r.Errorf(item, "%v", err)
			continue
		}
		windows = append(windows, w.String())
	}
	return windows
}

func (r reader) pauseAfter(at document.Spot) int {
	if !isSet(at) {
		return 0
	}
	n, err := strconv.Atoi(at.Text())
	if err != nil || n < 1 || n > maxPauseAfter {
		r.Errorf(at, "not a number of updates: write a number from 1 to %d", maxPauseAfter)
		return 0
	}
	return n
}

func (r reader) wariness(at document.Spot) *float64 {
	if !isSet(at) {
		return nil
	}
	wariness, err := strconv.ParseFloat(at.Text(), 64)
	if err != nil || !(wariness >= 0 && wariness <= 1) {
		r.Errorf(at, "not a wariness: write a number from 0 (this host updates first) to 1 (last), such as 0.3")
		return nil
	}
	return &wariness
}

// lock reads how the application says that it must not be stopped.
func (r reader) lock(at document.Spot) *spec.UpdateLock {
	if !r.mapping(at, "file: /run/app/lock") {
		return nil
	}
	file, exec := at.Field("file"), at.Field("exec")
	if isSet(file) == isSet(exec) {
		r.Errorf(at, "write either file: with a file that the application locks, or exec: with a command that exits with 75")
		return nil
	}
	if isSet(exec) {
		return &spec.UpdateLock{Exec: r.command(exec)}
	}
	if name := file.Text(); !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		r.Errorf(file, "not a file: write its absolute path on the host, without . and .. in it, such as /run/app/lock")
	}
	return &spec.UpdateLock{File: file.Text()}
}

func (r reader) command(at document.Spot) []string {
	var command []string
	for _, item := range at.Items() {
		if !item.IsScalar() {
			r.Errorf(item, "not a word of a command: write a string")
		}
		command = append(command, item.Text())
	}
	if len(command) == 0 || command[0] == "" {
		r.Errorf(at, "not a command: write a list of strings, such as [/bin/app, may-stop]")
	}
	return command
}

// group is the form of a group in the FleetLock protocol.
var group = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)

// maxGroup and maxURL bound what is sent with each request.
const maxGroup, maxURL = 255, 2000

func (r reader) fleetLock(at document.Spot) *spec.FleetLock {
	if !r.mapping(at, "base_url: http://lock.example:3333/ and group: web") {
		return nil
	}
	base, name := at.Field("base_url"), at.Field("group")
	switch address, err := url.Parse(base.Text()); {
	case !isSet(base):
		r.Errorf(at, "no base_url: write the address of the lock manager, such as base_url: http://lock.example:3333/")
	case err != nil, len(base.Text()) > maxURL, address.Scheme != "http" && address.Scheme != "https", address.Hostname() == "":
		r.Errorf(base, "not an address: write http://HOST:PORT/ or https://HOST/")
	case address.User != nil, address.RawQuery != "", address.Fragment != "":
		r.Errorf(base, "cannot have a login, a query or a fragment: write scheme, host, port and path alone")
	}
	switch {
	case !isSet(name):
		r.Errorf(at, "no group: write the group of hosts that share the lock, such as group: web")
	case !group.MatchString(name.Text()), len(name.Text()) > maxGroup:
		r.Errorf(name, "not a group: write letters, digits, dots and hyphens")
	}
	return &spec.FleetLock{
		BaseURL: base.Text(), Group: name.Text(), HoldAfterFailure: r.duration(at.Field("hold_after_failure"), time.Second, maxHold),
	}
}
