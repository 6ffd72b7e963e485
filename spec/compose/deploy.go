package compose

import (
	"fmt"
	"strconv"
	"time"

	"github.com/docker/go-connections/nat"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// checkDeploy reports what one host cannot do: a second container of a service.
func (d *declaration) checkDeploy() {
	const second = "each name is one container: write a second service"
	if scale := d.service.Scale; scale != nil && *scale != 1 {
		d.Errorf(d.field("scale"), "cannot use %d: %s", *scale, second)
	}
	deploy := d.service.Deploy
	if deploy == nil {
		return
	}
	if deploy.Replicas != nil && *deploy.Replicas != 1 {
		d.Errorf(d.field("deploy").Field("replicas"), "cannot use %d: %s", *deploy.Replicas, second)
	}
	if deploy.Mode != "" && deploy.Mode != "replicated" {
		d.Errorf(d.field("deploy").Field("mode"), "cannot use %q on a single host: leave it out, or write replicated", document.Shorten(deploy.Mode))
	}
}

// applyRestartPolicy converts deploy.restart_policy, which wins over restart as in
// Compose.
func (d *declaration) applyRestartPolicy(c *spec.Container) {
	if d.service.Deploy == nil || d.service.Deploy.RestartPolicy == nil {
		return
	}
	policy, at := d.service.Deploy.RestartPolicy, d.field("deploy").Field("restart_policy")
	c.Unit = nil // the limit of restart: on-failure:COUNT
	switch policy.Condition {
	case "", "any":
		c.Restart = "always"
	case "on-failure":
		c.Restart = "on-failure"
	case "none":
		c.Restart = "no"
	default:
		d.Errorf(at.Field("condition"), "cannot use %q: use none, on-failure or any", document.Shorten(policy.Condition))
	}
	if policy.Delay != nil {
		delay := time.Duration(*policy.Delay)
		if delay < 0 {
			d.Errorf(at.Field("delay"), "cannot be negative")
		}
		c.Unit = append(c.Unit, spec.UnitSetting{Section: "Service", Key: "RestartSec", Value: strconv.FormatInt(delay.Milliseconds(), 10) + "ms"})
	}
}

// expose adds the ports that the container says it listens on.
func (d *declaration) expose(ports nat.PortSet) nat.PortSet {
	for i, value := range d.service.Expose {
		at := d.entry("expose", i, len(d.service.Expose))
		protocol, numbers := nat.SplitProtoPort(value)
		first, last, err := nat.ParsePortRange(numbers)
		if err != nil || first == 0 || last > maxPort {
			d.Errorf(at, "cannot use %q as a port: write PORT, FIRST-LAST or PORT/udp", document.Shorten(value))
			continue
		}
		if protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
			d.Errorf(at, "unknown protocol %q: use tcp, udp or sctp", document.Shorten(protocol))
			continue
		}
		if ports == nil {
			ports = nat.PortSet{}
		}
		for port := first; port <= last; port++ {
			ports[nat.Port(fmt.Sprintf("%d/%s", port, protocol))] = struct{}{}
		}
	}
	return ports
}
