//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestPolicyRefusesUserData assigns user data that the policy refuses: the problem
// names the rule, and the container keeps running. A policy with an error refuses
// every change.
func TestPolicyRefusesUserData(t *testing.T) {
	const path = "/etc/dockhost/policy.yaml"
	h := newHost(t)
	h.Cleanup(func() { h.run("rm -f " + path) })
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	// Each policy also refuses the user data before: the agent judges that again at once.
	tests := []struct{ policy, section, problem string }{
		{"privileged: false\n", app("privileged: true"), "containers.app: privileged is not allowed here (rule privileged: false in " + path + ")"},
		{"privileged: false\nhost_mounts: [/srv]\n", app(`volumes: ["/srv/../etc:/x"]`), "containers.app: a mount of /etc is not allowed here (rule host_mounts: [/srv] in " + path + ")"},
		{"privilegd: false\nprivileged: false\nhost_mounts: [/srv]\n", app(`command: ["-crash"]`), path + ":1:1 privilegd: unknown key"},
	}
	for _, test := range tests {
		h.write(path, test.policy)
		h.assign(test.section)
		h.eventually("the status names the rule", func() error {
			if s, code := h.status(); code != 3 || !s.Source.LastKnownGood || !strings.Contains(strings.Join(s.Source.Problems, "\n"), test.problem) {
				return fmt.Errorf("status exits %d with %+v, want %q", code, s.Source, test.problem)
			}
			return nil
		})
		if log := h.journal("dockhost"); !strings.Contains(log, test.problem) {
			t.Errorf("the journal lacks %q:\n%s", test.problem, log)
		}
		h.runsStill(pid)
	}
	// The packaged example is a valid policy, and a policy does not bind root.
	h.run("cp /usr/share/dockhost/policy.yaml.example " + path)
	h.run("docker image inspect localhost:5000/app:1 >/dev/null && dockhostctl run --name local --privileged=false --network host localhost:5000/app:1 -listen :8098")
	h.run("dockhostctl rm local")
}
