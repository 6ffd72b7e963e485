package ctl

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// colors are terminal escapes. They are all "" when the output is no terminal.
type colors struct {
	good, bad, off string
}

func palette(on bool) colors {
	if !on {
		return colors{}
	}
	return colors{good: "\x1b[32m", bad: "\x1b[31m", off: "\x1b[0m"}
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
