package dockerrun

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// takeRestart reads --restart, and resets it: systemd restarts the container, not
// Docker. A caller that writes the unit gets the policy in the container.
// Otherwise the hints name the lines for the user's unit. Without --restart and
// with --restart no there is nothing to say: the unit's own Restart= counts, and
// docker run's default is no restart.
func takeRestart(flags *pflag.FlagSet, c *spec.Container, writesUnit bool) (hints []string, err error) {
	policy := text(flags, "restart")
	given := flags.Changed("restart") && policy != ""
	reset(flags, "restart")
	if !given {
		return nil, nil
	}
	restart, limit, err := spec.ParseRestart(policy)
	if err != nil {
		return nil, fmt.Errorf("--restart: %w", err)
	}
	if writesUnit {
		c.Restart, c.Unit = restart, limit
		return nil, nil
	}
	if restart != "no" {
		hints = append(hints, fmt.Sprintf("--restart %s has no effect here, because systemd restarts the container: "+
			"write Restart=%s in the unit's [Service] section, and leave --restart out", policy, restart))
	}
	if len(limit) > 0 {
		hints = append(hints, fmt.Sprintf("for the number of restarts in --restart %s write %s=%s and %s=%s in the unit's [Unit] section",
			policy, limit[0].Key, limit[0].Value, limit[1].Key, limit[1].Value))
	}
	return hints, nil
}
