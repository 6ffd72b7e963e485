//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// others are cloud-init's own keys in the user data of these tests.
const others = "write_files: [{path: /run/e2e-cloud-init-written, content: x}]\nruncmd: [touch /run/e2e-cloud-init-run]\n"

// cloudInit runs all stages of cloud-init with user data, as on a first boot. It
// returns the warnings, and the exit status of cloud-init status.
func (h *host) cloudInit(userData string) (warnings []string, status int) {
	h.Helper()
	h.userData(userData)
	h.run(`
		rm -f /run/e2e-cloud-init-*
		cloud-init clean --logs
		systemd-tmpfiles --create dockhost.conf
		for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do
			cloud-init $stage >/dev/null
		done
		ls /run/e2e-cloud-init-written /run/e2e-cloud-init-run`)
	out := h.run("grep -hoP '(?<=\\[WARNING\\]: ).*' /var/log/cloud-init.log | sort -u || true")
	_, status = h.try("cloud-init status")
	return strings.Split(strings.TrimSpace(out), "\n"), status
}

// keepCloudInit restores the files of cloud-init when the test ends.
func (h *host) keepCloudInit() {
	h.Helper()
	// A running process has the sockets below share.
	const paths = "var/lib/cloud var/log/cloud-init.log var/log/cloud-init-output.log run/cloud-init"
	h.run("tar -C / -cf /run/e2e-cloud-init.tar --exclude=run/cloud-init/share --ignore-failed-read " + paths)
	h.Cleanup(func() {
		h.run(`
			find /run/cloud-init -mindepth 1 -maxdepth 1 ! -name share -exec rm -rf {} +
			rm -rf /var/lib/cloud /var/log/cloud-init.log /var/log/cloud-init-output.log
			tar -C / -xf /run/e2e-cloud-init.tar
			rm -f /run/e2e-cloud-init*
			systemd-tmpfiles --create dockhost.conf`)
	})
}

func multipart(parts ...string) string {
	return "Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n--b\n" + strings.Join(parts, "\n--b\n") + "\n--b--\n"
}

// TestCloudInitAcceptsOurUserData gives cloud-init user data with a dockhost
// section in each of its possible places: cloud-init still does its own work. The
// package's part handler accepts parts of type text/x-dockhost. A cloud-init that
// checks for unknown keys warns about the key dockhost, and continues.
func TestCloudInitAcceptsOurUserData(t *testing.T) {
	const config = "Content-Type: text/cloud-config\n\n#cloud-config\n" + others
	own := app()
	tests := []struct {
		name, userData string
		warns          bool
	}{
		{"key", "#cloud-config\n" + others + own, true},
		{"key in a message", multipart(config, "Content-Type: text/cloud-config\n\n#cloud-config\n"+own), true},
		{"part of our type", multipart(config, "Content-Type: text/x-dockhost\n\n"+own), false},
		{
			"part of our type in base64",
			multipart(config, "Content-Type: text/x-dockhost\nContent-Transfer-Encoding: base64\n\n"+
				base64.StdEncoding.EncodeToString([]byte(own))), false,
		},
		{
			"archive",
			"#cloud-config-archive\n- content: |\n    #cloud-config\n" + indented(others) + "- type: text/x-dockhost\n  content: |\n" + indented(own), false,
		},
	}
	h := newHost(t)
	h.keepCloudInit()
	usual, usualStatus := h.cloudInit("#cloud-config\n" + others)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{t}
			warnings, status := h.cloudInit(test.userData)
			more := slices.DeleteFunc(warnings, func(w string) bool { return slices.Contains(usual, w) })
			var want []string
			wantStatus := usualStatus
			if test.warns && h.checksKeys() {
				want = []string{"cloud-config failed schema validation! You may run 'sudo cloud-init schema --system' to check the details."}
				wantStatus = 2 // done, with a warning
			}
			if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(more, "\n")); diff != "" {
				t.Errorf("cloud-init warns (-want, +got):\n%s", diff)
			}
			if status != wantStatus {
				t.Errorf("cloud-init status exits %d, want %d", status, wantStatus)
			}
			h.takeOver()
			h.ready("app")
		})
	}
}

// checksKeys reports whether this cloud-init rejects unknown keys. Debian 12's
// does not.
func (h *host) checksKeys() bool {
	h.Helper()
	h.write("/run/e2e-cloud-init.yaml", "#cloud-config\nno_such_key: 1\n")
	_, code := h.try("cloud-init schema --config-file /run/e2e-cloud-init.yaml")
	return code != 0
}

// TestCloudInitSchemaNamesOnlyOurKey checks that cloud-init schema complains about
// nothing but the key dockhost.
func TestCloudInitSchemaNamesOnlyOurKey(t *testing.T) {
	h := newHost(t)
	const path = "/run/e2e-cloud-init.yaml"
	t.Cleanup(func() { h.run("rm -f " + path) })
	checks := h.checksKeys()
	h.write(path, "#cloud-config\n"+others+app())
	out, code := h.try("cloud-init schema --config-file " + path)
	const refusal = "dockhost: Additional properties are not allowed ('dockhost' was unexpected)"
	if named := strings.Contains(out, refusal); named != checks || (code != 0) != checks {
		t.Errorf("cloud-init schema exits %d and prints %q, want %q: %v", code, out, refusal, checks)
	}
	if errors := strings.Count(out, "Additional properties"); checks && errors != 1 {
		t.Errorf("cloud-init schema prints %q, want one error", out)
	}
}

// TestPartHandlerIsInstalledBeforeCloudInit checks that systemd-tmpfiles copies
// the part handler before cloud-init looks for it.
func TestPartHandlerIsInstalledBeforeCloudInit(t *testing.T) {
	h := newHost(t)
	unit := h.output("systemctl cat cloud-init-network.service >/dev/null 2>&1 && echo cloud-init-network || echo cloud-init")
	if after := h.property(unit, "After"); !strings.Contains(after, "systemd-tmpfiles-setup.service") {
		t.Errorf("After= of %s = %s, want systemd-tmpfiles-setup.service in it", unit, after)
	}
	if out := h.output("systemd-analyze verify " + unit + ".service 2>&1 | grep -i cycle || true"); out != "" {
		t.Error(out)
	}
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&out, "    %s", line)
	}
	return out.String()
}

// TestAgentStartsWithAndWithoutCloudInit boots the host with and without
// cloud-init: the container runs. With cloud-init, the agent is ready before the
// final stage.
func TestAgentStartsWithAndWithoutCloudInit(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("cloud-init clean --logs; systemd-tmpfiles --create dockhost.conf") })
	h.run("systemctl enable --quiet dockhost.socket dockhost.service; cloud-init clean --logs")
	h.userData("#cloud-config\n" + app())
	at := func(unit, event string) int {
		stamp, err := strconv.Atoi(h.property(unit, event+"Monotonic"))
		if err != nil {
			t.Fatal(err)
		}
		return stamp
	}
	t.Run("with", func(t *testing.T) {
		h := &host{t}
		h.reboots()
		h.ready("app")
		h.run("cloud-init status --wait || true")
		agent, final := at("dockhost.service", "ActiveEnterTimestamp"), at("cloud-final.service", "InactiveExitTimestamp")
		if agent == 0 || final == 0 || agent > final {
			t.Errorf("the agent is ready at %d and cloud-init's final stage starts at %d, want the agent first", agent, final)
		}
		// The container waits for Docker, but not for cloud-init.
		if after := h.property("dockhost@app.service", "After"); strings.Contains(after, "cloud-") {
			t.Errorf("After= of the container = %s, want no unit of cloud-init", after)
		}
	})
	t.Run("without", func(t *testing.T) {
		h := &host{t}
		const units = "cloud-init.service cloud-init-main.service cloud-init-local.service cloud-init-network.service cloud-config.service cloud-final.service"
		const modules = "/usr/lib/python3/dist-packages/cloudinit"
		h.run("systemctl mask --quiet " + units + "; mv /usr/bin/cloud-init /usr/bin/cloud-init.away; mv " + modules + " " + modules + ".away")
		h.Cleanup(func() {
			h.run("systemctl unmask --quiet " + units + "; mv /usr/bin/cloud-init.away /usr/bin/cloud-init; mv " + modules + ".away " + modules)
			h.reboots()
		})
		h.run("cp -a /var/lib/cloud/seed /root/seed && rm -rf /var/lib/cloud && mkdir /var/lib/cloud && mv /root/seed /var/lib/cloud/seed")
		h.reboots()
		h.ready("app")
		if s, code := h.status(); code != 0 || s.Source.InstanceID != "i-first" {
			t.Errorf("status exits %d with %+v, want 0 and i-first", code, s.Source)
		}
		h.run("[ ! -e /run/cloud-init/status.json ]")
	})
}
