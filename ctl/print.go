package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/dockhost/dockhost/agent/api"
)

// colors are terminal escapes. They are all "" when the output is no terminal.
type colors struct {
	good, bad, busy, off string
}

func palette(on bool) colors {
	if !on {
		return colors{}
	}
	return colors{good: "\x1b[32m", bad: "\x1b[31m", busy: "\x1b[33m", off: "\x1b[0m"}
}

// of returns the color of a state, "" for one that needs none.
func (c colors) of(state api.State) string {
	switch state {
	case api.ContainerReady:
		return c.good
	case api.ContainerStarting, api.ContainerPulling, api.ContainerWaiting, api.ContainerStopping, api.ContainerPaused:
		return c.busy
	case api.ContainerUnhealthy, api.ContainerMasked, api.ContainerFailed, api.ContainerRestarting, api.ContainerUnknown:
		return c.bad
	case api.ContainerStopped, api.ContainerFinished:
	}
	return ""
}

// brief returns how long ago a time was, in a few characters: "45s", "3m", "2h", "12d", or
// "-" for no time.
func brief(at *time.Time, now time.Time) string {
	if at == nil || at.IsZero() {
		return "-"
	}
	const day = 24 * time.Hour
	switch d := max(0, now.Sub(*at)); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// ago returns how long ago a time was: "2 minutes ago", or "-" for no time.
func ago(at *time.Time, now time.Time) string {
	if at == nil || at.IsZero() {
		return "-"
	}
	return strings.ToLower(units.HumanDuration(now.Sub(*at))) + " ago"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func bytesOf(n int64) string { return units.HumanSize(float64(n)) }
