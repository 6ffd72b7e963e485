//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// Users of the host without any right, and with the right to use Docker.
const (
	asStranger = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "
	asMember   = "setpriv --reuid=65534 --regid=65534 --groups=$(getent group docker | cut -d: -f3) --inh-caps=-all "
	askAgent   = "curl -sS -m 20 --path-as-is --unix-socket /run/dockhost/agent.sock "
)

// TestAttackSocket has a user without rights attack the local API.
func TestAttackSocket(t *testing.T) {
	a := underAttack(t)
	for _, route := range api.Routes() {
		if route.Access == api.Reads {
			continue
		}
		a.in(route.Method+strings.ReplaceAll(route.Path, "/", "-"), func(a *attacked) {
			path := strings.ReplaceAll(route.Path, "{name}", "app")
			out := a.output(asStranger + askAgent + "-w ' %{http_code}' -X " + route.Method + " -d '{}' http://dockhost" + path + " || :")
			if !strings.HasSuffix(out, " 403") || strings.Contains(out, "s3cret") {
				a.Errorf("SUCCESS of the attack: the answer is %s", out)
			}
			a.unharmed()
		})
	}
	for name := range strings.FieldsSeq(`two-lengths length-and-chunks folded-header space-before-colon bare-newlines pipeline upgrade http2
		huge-header many-headers huge-path absolute-url path-with-dots path-encoded path-with-newline path-with-nul other-method
		not-http huge-body body-of-a-reader forged-peer`) {
		a.in(name, func(a *attacked) {
			out, code := a.try("timeout 30 " + asStranger + hostileProgram + " client " + name)
			if strings.Contains(out, "s3cret") {
				a.Errorf("SUCCESS of the attack: the answer is %s", out)
			}
			if _, code := a.status(); code != 0 {
				a.Errorf("SUCCESS of the attack: status exits %d", code)
			}
			a.goesOn()
			a.Logf("exits %d: %.200q", code, out)
		})
	}
	for name, user := range map[string]string{"half-requests-of-a-stranger": asStranger, "half-requests-of-root": ""} {
		a.in(name, func(a *attacked) {
			a.run("systemd-run -q --collect --unit=" + hostileUnit + " " + user + hostileProgram + " client half-requests")
			a.eventually("the requests are sent", func() error { return a.logged(hostileUnit, "holds") })
			a.eventually("root is answered", func() error { _, code := a.status(); return errUnless(code == 0) })
			a.run("systemctl stop " + hostileUnit + "; systemctl reset-failed " + hostileUnit + " 2>/dev/null || :")
			a.unharmed()
		})
	}
}

// TestAttackDeclaration has a member of the group docker send declarations that would do
// more than docker run can.
func TestAttackDeclaration(t *testing.T) {
	a := underAttack(t)
	a.run("dockhostctl run --name evil localhost:5000/app:1; cp /run/dockhost/containers/evil.json " + hostileDir + "/base.json; dockhostctl rm evil")
	a.begins()
	for name, change := range map[string]string{
		"credentials":         `.credentials = ["x:/etc/shadow"]`,
		"credentials-line":    `.credentials = ["x:/y\nExecStartPre=/bin/touch /run/pwned"]`,
		"mounts":              `.mounts = [{what: "/dev/sda", where: "/etc/cron.d"}]`,
		"mounts-outside":      `.mounts = [{what: "/dev/sda\n[Service]\nExecStart=/bin/sh", where: "/../../etc"}]`,
		"files":               `.files = [{path: "/etc/shadow", target: "/x"}]`,
		"env-files":           `.env_files = [{path: "/etc/shadow", required: true}]`,
		"hook":                `.post_start = [{exec: ["touch", "/run/pwned"], privileged: true}]`,
		"volume":              `.volumes = [{name: "x", options: {device: "/etc", o: "bind", type: "none"}}]`,
		"network":             `.networks = [{name: "x", options: {"com.docker.network.bridge.name": "eth0"}}]`,
		"unit-setting":        `.unit = [{section: "Service", key: "ExecStartPre", value: "/bin/touch /run/pwned"}]`,
		"unit-setting-line":   `.unit = [{section: "Service", key: "RestartSec", value: "1\nExecStartPre=/bin/touch /run/pwned"}]`,
		"unit-section":        `.unit = [{section: "Service]\nExecStartPre=/bin/sh\n[Unit", key: "StartLimitBurst", value: "1"}]`,
		"update":              `.update = {policy: "registry", lock: {file: "/root/x"}}`,
		"restart-line":        `.restart = "always\nExecStartPre=/bin/touch /run/pwned"`,
		"notify-line":         `.notify = "http://:80/\nExecStartPre=/bin/touch /run/pwned"`,
		"reload-signal":       `.reload = {signal: "HUP\nExecStartPre=/bin/touch /run/pwned"}`,
		"reload-line":         `.reload = {exec: ["x\nExecStartPre=/bin/touch /run/pwned"], signal: "9x"}`,
		"runtime-of-ours":     `.runtime = "dockhost"`,
		"runtime-in-config":   `.host_config.Runtime = "/srv/evil"`,
		"cgroup-parent":       `.host_config.CgroupParent = "/system.slice"`,
		"restart-by-docker":   `.host_config.RestartPolicy.Name = "always"`,
		"label-of-ours":       `.config.Labels = {"dockhost.unit": "ssh.service"}`,
		"id-file":             `.run = {cid_file: "/etc/cron.d/evil", stdout: true, stderr: true}`,
		"pid-file":            `.run = {pid_file: "/etc/cron.d/evil", stdout: true, stderr: true}`,
		"controllers":         `.run = {controllers: ["../../x"], stdout: true, stderr: true}`,
		"other-name":          `.name = "app"`,
		"image-line":          `.image = "localhost:5000/app:1\nx"`,
		"stall-below-nothing": `.pull_stall_timeout = -1`,
		"pull-policy":         `.pull_policy = "build"`,
		"unknown-field":       `.exec_start = "/bin/sh"`,
		"no-config":           `.config = null`,
		"no-host-config":      `.host_config = null`,
		"another-type":        `.config = [1]`,
		"large":               `.config.Env = [range(200000) | "A\(.)=b"]`,
		"deep":                `.config.Labels = (reduce range(9000) as $i ({}; {a: .}))`,
	} {
		a.in(name, func(a *attacked) {
			a.write(hostileDir+"/change.jq", change)
			out := a.output("jq -c -f " + hostileDir + "/change.jq " + hostileDir + "/base.json >" + hostileDir + "/body.json; chmod 644 " + hostileDir + "/*.json; " +
				asMember + askAgent + "-w ' %{http_code}' -X PUT -H 'Content-Type: application/json' --data-binary @" + hostileDir + "/body.json http://dockhost/v1/containers/evil || :")
			if !strings.HasSuffix(out, " 400") && !strings.HasSuffix(out, " 413") && !strings.HasSuffix(out, " 422") {
				a.Errorf("SUCCESS of the attack: the answer is %.500s", out)
				a.try("dockhostctl rm evil")
			}
			a.unharmed()
			a.Logf("%.300s", out)
		})
	}
	for name, path := range map[string]string{
		"name-with-dots": "..", "name-encoded": "..%2f..%2fetc%2fcron.d%2fevil", "name-line": "a%0aExecStart=x", "name-option": "-rf",
		"name-instance": "dockhost%40app", "name-nul": "evil%00", "name-bidi": "evil%e2%80%ae", "name-long": strings.Repeat("a", 2000), "name-of-user-data": "app",
	} {
		a.in(name, func(a *attacked) {
			out := a.output(asMember + askAgent + "-w ' %{http_code}' -X PUT --data-binary @" + hostileDir + "/base.json http://dockhost/v1/containers/" + path + " || :")
			if strings.HasSuffix(out, " 200") || strings.HasSuffix(out, " 500") {
				a.Errorf("SUCCESS of the attack: the answer is %.500s", out)
			}
			a.unharmed()
			a.Logf("%.300s", out)
		})
	}
}
