package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// startLimitInterval is how long systemd counts the starts of a unit whose
// restarts are limited. It is 100 years instead of "infinity": older systemd
// (src/basic/ratelimit.c) adds the interval to a time, which overflows and
// disables the limit.
const startLimitInterval = "100y"

// ParseRestart converts Docker's restart policy to systemd's Restart= and to the
// unit settings that limit the restarts. Docker's own policy stays "no".
//
// "on-failure:N" means N restarts after the first start. systemd counts starts
// within an interval, so N restarts are N+1 starts within an interval that never
// ends. Manual starts count too; systemctl reset-failed resets the count.
func ParseRestart(policy string) (restart string, limit []UnitSetting, err error) {
	name, count, counted := strings.Cut(policy, ":")
	switch {
	case policy == "no":
		return "no", nil, nil
	case policy == "always", policy == "unless-stopped":
		return "always", nil, nil
	case name == "on-failure" && counted:
		limit, err = startLimit(count)
		return "on-failure", limit, err
	case policy == "on-failure":
		return "on-failure", nil, nil
	}
	return "", nil, fmt.Errorf(`cannot use %q: use "no", always, unless-stopped, on-failure or on-failure:COUNT`, shorten(policy))
}

func startLimit(count string) ([]UnitSetting, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n >= math.MaxInt32 {
		return nil, fmt.Errorf("cannot use %q as a number of restarts: write a whole number", shorten(count))
	}
	if n == 0 { // Docker's form of "no limit"
		return nil, nil
	}
	return []UnitSetting{
		{Section: "Unit", Key: "StartLimitIntervalSec", Value: startLimitInterval},
		{Section: "Unit", Key: "StartLimitBurst", Value: strconv.Itoa(n + 1)},
	}, nil
}

// IsStartLimit reports whether there are no unit settings, or only those of
// [ParseRestart].
func IsStartLimit(settings []UnitSetting) bool {
	if len(settings) == 0 {
		return true
	}
	if len(settings) != 2 {
		return false
	}
	starts, err := strconv.Atoi(settings[1].Value)
	if err != nil {
		return false
	}
	want, err := startLimit(strconv.Itoa(starts - 1))
	return err == nil && len(want) == 2 && settings[0] == want[0] && settings[1] == want[1]
}
