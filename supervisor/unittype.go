package supervisor

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/spec"
)

// checkType refuses to run a container where systemd waits until this process ends
// before the unit is up, although the user expects that it ends at once: the boot
// would wait for ever. A supervisor that hands its container over does end. A unit
// that cannot be read is not refused.
func (u *unit) checkType(ctx context.Context, c *spec.Container) error {
	if c.Run == nil || c.Run.Detach || !u.exists() {
		return nil
	}
	properties, err := u.read(ctx)
	if err != nil {
		return nil //nolint:nilerr // the container may run: the check is only to help
	}
	const cure = "write Type=notify in the unit's [Service] section"
	switch {
	case properties.Type == "forking":
		return fmt.Errorf("%s has Type=forking: systemd waits until this command ends, and it ends with the container (%s)", u.name, cure)
	case c.Run.Background && properties.Type == "oneshot":
		return fmt.Errorf("%s has Type=oneshot: systemd waits until this command ends, and with -d, too, it ends with the container (%s, or leave -d out if the unit has to wait)", u.name, cure)
	case c.Run.Background && isControl(properties.SubState):
		return fmt.Errorf("%s is in its state %s: systemd waits until this command ends, and with -d, too, it ends with the container (move the command to ExecStart=, and %s)", u.name, properties.SubState, cure)
	}
	return nil
}

// isControl reports whether a service in a state runs a command that is not its
// main one, such as ExecStartPre=. systemd waits for the end of those.
func isControl(subState string) bool {
	switch subState {
	case "condition", "start-pre", "start-post", "stop", "stop-post":
		return true
	}
	return false
}
