//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
)

// TestAttackMetadata has a metadata service attack after the container was assigned by it.
// The container keeps running, the agent keeps answering, and no other server is asked.
func TestAttackMetadata(t *testing.T) {
	const address, mode = "169.254.169.254", metadataFiles + "/mode"
	attacks := []struct{ name, path string }{
		{"redirect-to-file", "/hetzner/v1/userdata"},
		{"redirect-to-loopback", "/hetzner/v1/userdata"},
		{"redirect-to-elsewhere", "/hetzner/v1/metadata"},
		{"never-answers", "/hetzner/v1/metadata"},
		{"slow-header", "/hetzner/v1/userdata"},
		{"slow-body", "/hetzner/v1/userdata"},
		{"endless-header", "/hetzner/v1/metadata"},
		{"endless-body", "/hetzner/v1/userdata"},
		{"endless-continue", "/hetzner/v1/userdata"},
		{"endless-chunks", "/hetzner/v1/userdata"},
		{"chunk-extensions", "/hetzner/v1/userdata"},
		{"not-http", "/hetzner/v1/metadata"},
		{"huge-length", "/hetzner/v1/userdata"},
		{"negative-length", "/hetzner/v1/userdata"},
		{"two-lengths", "/hetzner/v1/userdata"},
		{"closes", "/hetzner/v1/metadata"},
		{"waits-for-years", "/hetzner/v1/userdata"},
		{"encoded-bomb", "/hetzner/v1/userdata"},
		{"names", "/hetzner/v1/metadata"},
		{"encoded-bomb", "/hetzner/v1/metadata"},
	}
	a := &attacked{host: newHost(t)}
	a.installHostile()
	a.onCloud(address, map[string]string{"sys_vendor": "Hetzner"})
	a.cloudUserData(good())
	a.hostile("metadata -platform Hetzner -mode " + mode + " -user-data " + metadataFiles + "/user-data")
	a.eventually("the metadata service listens", func() error { return a.listens(address + ":80") })
	a.takeOver()
	a.ready("app")
	a.begins()
	for _, attack := range attacks {
		a.in(attack.name+attack.path, func(a *attacked) {
			since := a.now()
			a.run("echo '" + attack.name + " " + attack.path + "' >" + mode)
			a.eventually("the agent has met the attack", func() error {
				a.try("timeout 1 curl -sS -o /dev/null -X POST --unix-socket /run/dockhost/agent.sock http://dockhost/v1/userdata/fetch")
				if !strings.Contains(a.hostileSaid(since), "attack "+attack.name) {
					return errors.New("it has not asked")
				}
				return nil
			})
			s, _ := a.status()
			a.Logf("problems %.200q, waiting %.200q", s.Source.Problems, s.Source.Waiting)
			a.goesOn()
			if log := a.hostileSaid(since); strings.Contains(log, "canary") {
				a.Errorf("SUCCESS of the attack: another server was asked: %s", log)
			}
		})
	}
	a.run("rm " + mode)
	a.eventually("the user data is read again", func() error {
		a.try("timeout 1 curl -sS -o /dev/null -X POST --unix-socket /run/dockhost/agent.sock http://dockhost/v1/userdata/fetch")
		if s, code := a.status(); code != 0 {
			return errors.New(strings.Join(s.Source.Problems, "\n") + s.Source.Waiting)
		}
		return nil
	})
	a.unharmed()
}

// listens returns an error unless something listens at an address.
func (h *host) listens(address string) error {
	h.Helper()
	if out, code := h.try("ss -Hltn src " + address + " | grep ."); code != 0 {
		return errors.New("nothing listens" + out)
	}
	return nil
}

// hostileSaid returns what the hostile program has printed since a time.
func (a *attacked) hostileSaid(since string) string {
	a.Helper()
	return a.run("journalctl --sync; journalctl -q --no-pager -o cat -u " + hostileUnit + " --since @" + since)
}
