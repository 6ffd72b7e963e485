package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/ctl"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec/update"
)

// settings returns the settings of the agent on this host, or their defaults.
func settings(defaults bool) ([]ctl.Setting, error) {
	text, err := regular.Follow(config.Path, regular.Config)
	if defaults || errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return settingsOf(config.Path, text)
}

// settingsOf returns the settings that a text of a file has, with the defaults of all
// others.
func settingsOf(file string, text []byte) ([]ctl.Setting, error) {
	c, err := config.Parse(file, text, datasource.Names())
	if err != nil {
		return nil, err
	}
	node, err := document.Parse(file, text)
	if err != nil {
		return nil, err
	}
	values := settingValues(c)
	for i := range values {
		if node == nil {
			break
		}
		at := document.Spot{Node: node}
		for key := range strings.SplitSeq(values[i].Key, ".") {
			at = at.Field(key)
		}
		if at.Present() && at.Node != nil {
			values[i].Origin = file + ":" + strconv.Itoa(at.Node.Line)
		}
	}
	return values, nil
}

// settingValues returns the settings in the order of dockhost.yaml(5).
func settingValues(c config.Config) []ctl.Setting {
	h, u := housekeeping.DefaultPolicy().With(c.Housekeeping), update.Defaults(nil, c.Update)
	lockFile, lockExec, fleet, group := "", "", "", ""
	if u.Lock != nil {
		lockFile, lockExec = u.Lock.File, strings.Join(u.Lock.Exec, " ")
	}
	if u.FleetLock != nil {
		fleet, group = u.FleetLock.BaseURL, u.FleetLock.Group
	}
	hook := ""
	if c.Webhook != nil {
		// The rest of the address may be a secret.
		if address, err := url.Parse(c.Webhook.URL); err == nil {
			hook = "https://" + address.Host + "/..."
		}
	}
	return []ctl.Setting{
		{Key: "datasource.names", Value: strings.Join(c.Datasources, ", ")},
		{Key: "datasource.imdsv1", Value: strconv.FormatBool(c.IMDSv1)},
		{Key: "datasource.poll", Value: orOff(c.Poll)},
		{Key: "user_data.include", Value: strconv.FormatBool(c.Include)},
		{Key: "housekeeping", Value: map[bool]string{true: "off", false: "on"}[h.Off]},
		{Key: "housekeeping.images", Value: string(h.Images)},
		{Key: "housekeeping.high", Value: strconv.Itoa(h.High)},
		{Key: "housekeeping.low", Value: strconv.Itoa(h.Low)},
		{Key: "housekeeping.min_age", Value: h.MinAge.String()},
		{Key: "housekeeping.max_age", Value: orOff(h.MaxAge)},
		{Key: "housekeeping.keep_last", Value: strconv.Itoa(h.KeepLast)},
		{Key: "housekeeping.keep", Value: strings.Join(h.Keep, ", ")},
		{Key: "housekeeping.max_removals", Value: strconv.Itoa(h.MaxRemovals)},
		{Key: "housekeeping.interval", Value: h.Interval.String()},
		{Key: "housekeeping.containers", Value: string(h.Containers)},
		{Key: "housekeeping.build_cache", Value: orOff(h.BuildCache)},
		{Key: "housekeeping.networks", Value: map[bool]string{true: "unused", false: "off"}[h.Networks]},
		{Key: "housekeeping.volumes", Value: map[bool]string{true: "dangling", false: "off"}[h.Volumes]},
		{Key: "update.policy", Value: string(u.Policy)},
		{Key: "update.check", Value: u.Check.String()},
		{Key: "update.order", Value: string(u.Order)},
		{Key: "update.monitor", Value: u.Monitor.String()},
		{Key: "update.failure_action", Value: string(u.FailureAction)},
		{Key: "update.window", Value: strings.Join(u.Windows, ", ")},
		{Key: "update.pause_after", Value: strconv.Itoa(u.PauseAfter)},
		{Key: "update.lock.file", Value: lockFile},
		{Key: "update.lock.exec", Value: lockExec},
		{Key: "update.fleet_lock.base_url", Value: fleet},
		{Key: "update.fleet_lock.group", Value: group},
		{Key: "update.wariness", Value: strconv.FormatFloat(*u.Wariness, 'g', -1, 64)},
		{Key: "update.webhook.url", Value: hook},
		{Key: "ulimits", Value: ulimits(c)},
	}
}

// ulimits returns the limits as docker run has them: NAME=SOFT:HARD.
func ulimits(c config.Config) string {
	var limits []string
	for _, limit := range c.Ulimits {
		limits = append(limits, limit.String())
	}
	return strings.Join(limits, ", ")
}

// orOff returns a duration, and off for none.
func orOff(d time.Duration) string {
	if d == 0 {
		return "off"
	}
	return d.String()
}
