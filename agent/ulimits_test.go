package agent

import (
	"testing"
)

// The limits of dockhost.yaml apply to all containers that do not set them. A mistake in
// the file changes no container, also where the agent is started with it.
func TestUlimitsOfHost(t *testing.T) {
	h := newTestHost(t)
	const file = "/etc/dockhost/dockhost.yaml"
	h.write(file, "ulimits: {nofile: 65536, nproc: 512}\n")
	h.userData("i-1", "#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx, ulimits: {nofile: {soft: 1024, hard: 4096}, core: 0}}\n    db: {image: postgres}\n")
	has := func(a *Agent, container, want string) {
		t.Helper()
		got := ""
		for _, limit := range a.store.snapshot().accepted.container(container).HostConfig.Ulimits {
			got += limit.String() + " "
		}
		if got != want {
			t.Errorf("ulimits of %s = %q, want %q", container, got, want)
		}
	}
	for range 2 {
		a := h.agent()
		a.takeOver(t.Context()).wait()
		has(a, "web", "core=0:0 nofile=1024:4096 nproc=512:512 ")
		has(a, "db", "nofile=65536:65536 nproc=512:512 ")
		if own := a.store.snapshot().accepted.UserData.Containers[0].HostConfig.Ulimits; len(own) != 0 {
			t.Errorf("the declaration of db has the limits %v of the host", own)
		}
		h.write(file, "ulimits: {nofile: many}\n")
	}
}
