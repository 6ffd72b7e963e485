package compose

import (
	"math"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
)

// healthcheck returns nil if nothing is declared. Docker then uses the image's
// own check.
func (d *declaration) healthcheck() *container.HealthConfig {
	check, at := d.service.HealthCheck, d.field("healthcheck")
	if check == nil {
		return nil
	}
	if check.Disable {
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	d.checkTest(at.Field("test"), check.Test)
	config := &container.HealthConfig{
		Test:          check.Test,
		Interval:      d.checkDuration(at.Field("interval"), check.Interval),
		Timeout:       d.checkDuration(at.Field("timeout"), check.Timeout),
		StartPeriod:   d.checkDuration(at.Field("start_period"), check.StartPeriod),
		StartInterval: d.checkDuration(at.Field("start_interval"), check.StartInterval),
	}
	d.checkWhole(at.Field("retries"))
	if check.Retries != nil {
		if *check.Retries > math.MaxInt32 {
			d.Errorf(at.Field("retries"), "too large")
		}
		config.Retries = int(min(*check.Retries, math.MaxInt32))
	}
	return config
}

func (d *declaration) checkTest(at spot, test []string) {
	switch {
	case !at.Present():
		return
	case len(test) == 0:
		d.Errorf(at, "no command: write CMD or CMD-SHELL and a command, or disable: true")
	case test[0] != "CMD" && test[0] != "CMD-SHELL" && test[0] != "NONE":
		d.Errorf(at, "a list must start with CMD, CMD-SHELL or NONE")
	case test[0] != "NONE" && (len(test) == 1 || test[1] == ""):
		d.Errorf(at, "no command after %s", test[0])
	case test[0] == "CMD-SHELL" && len(test) > 2:
		d.Errorf(at, "CMD-SHELL takes one string: write the whole command line in it, or use CMD")
	}
}

// checkDuration returns a duration of a health check. Docker accepts 0, for its
// own default, or at least a millisecond.
func (d *declaration) checkDuration(at spot, duration *types.Duration) time.Duration {
	if duration == nil {
		return 0
	}
	value := time.Duration(*duration)
	if value != 0 && value < time.Millisecond {
		d.Errorf(at, "cannot be less than 1ms")
	}
	return value
}

// hasHealthcheck reports whether the container can have a health check: a declared
// one, or the image's.
func hasHealthcheck(config *container.Config) bool {
	check := config.Healthcheck
	return check == nil || len(check.Test) == 0 || check.Test[0] != "NONE"
}
