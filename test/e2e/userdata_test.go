//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// services makes a Compose file of one service.
func services(name, image string, keys ...string) string {
	text := "services:\n  " + name + ":\n    image: " + image + "\n"
	for _, key := range keys {
		text += "    " + key + "\n"
	}
	return text + "x-dockhost:\n" + registries
}

// assigned is user data with a container app that answers on 8080, and a
// container tool that does something.
func assigned(does string) string {
	return `#cloud-config
dockhost:
  containers:
    app: {image: "localhost:5000/app:1", ports: ["8080:8080"]}
    tool: {image: "localhost:5000/busybox", command: [sh, -c, "trap exit TERM; echo ` + does + `; sleep 1000 & wait"]}
` + registries
}

// ran waits until the container tool has printed a word.
func (h *host) ran(word string) {
	h.Helper()
	h.eventually("the tool says "+word, func() error {
		if out, _ := h.try("docker logs tool 2>&1"); !strings.Contains(out, word) {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
}

// started has the agent run, with nothing that anybody tells it.
func (h *host) started() {
	h.Helper()
	h.run("systemctl start dockhost.socket dockhost.service")
}

// Changed user data takes effect by itself, and restarts only what changed.
func TestChangedUserDataTakesEffect(t *testing.T) {
	h := newHost(t)
	h.started()
	h.userData(assigned("first"))
	h.ready("app")
	h.ready("tool")
	h.ran("first")
	pid := h.pid("app")

	h.userData(assigned("second"))
	h.ran("second")
	h.ready("tool")

	t.Run("wrong user data changes nothing", func(t *testing.T) {
		h := &host{t}
		const place = "user-data:4:42 containers.app.port: unknown key"
		tool, logged := h.pid("tool"), strings.Count(h.journal("dockhost"), place)
		h.userData(strings.Replace(assigned("third"), "ports:", "port:", 1))
		const want = place + ` "port" (did you mean "ports"?)`
		h.eventually("the user data is refused", func() error {
			if s, code := h.status(); code != 3 || !s.Source.LastKnownGood || len(s.Source.Problems) != 1 || s.Source.Problems[0] != want {
				return fmt.Errorf("status exits %d with %+v", code, s.Source)
			}
			return nil
		})
		if h.pid("tool") != tool {
			t.Error("the tool was restarted")
		}
		if n := strings.Count(h.journal("dockhost"), place) - logged; n != 1 {
			t.Errorf("the journal has the problem %d times", n)
		}
	})
	t.Run("another seed directory instead", func(t *testing.T) {
		h := &host{t}
		h.run("mv /var/lib/cloud/seed/nocloud /var/lib/cloud/seed/nocloud-net")
		h.write("/var/lib/cloud/seed/nocloud-net/user-data", assigned("fourth"))
		h.ran("fourth")
		if s, _ := h.status(); s.Source.Path != "/var/lib/cloud/seed/nocloud-net/user-data" || s.Source.LastKnownGood {
			t.Errorf("status = %+v, want the other directory", s.Source)
		}
	})
	if h.pid("app") != pid {
		t.Errorf("pid of app = %s, want %s: it did not change", h.pid("app"), pid)
	}
	h.run("echo '#cloud-config' >/var/lib/cloud/seed/nocloud-net/user-data")
	h.forgotten("app")
	h.forgotten("tool")
}

// Compose files in /etc/dockhost/containers run what is in them.
func TestComposeFilesRun(t *testing.T) {
	h := newHost(t)
	h.started()
	const dir = "/etc/dockhost/containers/"
	h.write(dir+"app.yaml", services("app", "localhost:5000/app:1", "ports: ['8080:8080']"))
	h.write(dir+"tool.yaml", services("tool", "localhost:5000/busybox", "command: [sh, -c, 'trap exit TERM; sleep 1000 & wait']"))
	if c := h.ready("app"); c.Origin != api.OriginFile {
		t.Errorf("app = %+v, want it to be of a file", c)
	}
	h.ready("tool")
	tool := h.pid("tool")

	h.write(dir+"app.yaml", services("app", "localhost:5000/app:2", "ports: ['8080:8080']"))
	h.eventually("app:2 runs", func() error {
		if c, err := h.container("app"); err != nil || c.Image != "localhost:5000/app:2" || !c.Ready || c.Pending != nil {
			return fmt.Errorf("it is %+v, %w", c, err)
		}
		return nil
	})
	if h.pid("tool") != tool {
		t.Error("the tool was restarted, which has not changed")
	}

	t.Run("a wrong file changes nothing", func(t *testing.T) {
		h := &host{t}
		h.write(dir+"tool.yaml", services("tool", "localhost:5000/busybox", "comand: [x]"))
		h.eventually("the file is refused", func() error {
			if s, code := h.status(); code != 3 || len(s.Source.Problems) != 1 || !strings.HasPrefix(s.Source.Problems[0], dir+"tool.yaml:4:5 services.tool.comand: unknown key") {
				return fmt.Errorf("status exits %d with %+v", code, s.Source)
			}
			return nil
		})
		if h.pid("tool") != tool {
			t.Error("the tool was restarted")
		}
	})
	t.Run("user data wins", func(t *testing.T) {
		h := &host{t}
		h.userData("#cloud-config\n" + app("ports: ['8080:8080']"))
		h.eventually("app:1 of the user data runs", func() error {
			if c, err := h.container("app"); err != nil || c.Image != "localhost:5000/app:1" || c.Origin != api.OriginUserData || !c.Ready {
				return fmt.Errorf("it is %+v, %w", c, err)
			}
			return nil
		})
		if s, _ := h.status(); !strings.Contains(strings.Join(s.Source.Problems, "\n"), `container "app" is declared by the user data, and by `+dir+"app.yaml, too") {
			t.Errorf("status = %+v, want it to say so", s.Source)
		}
	})
	if out, code := h.try("dockhostctl rm tool"); code != 1 || !strings.Contains(out, dir+"tool.yaml") {
		t.Errorf("dockhostctl rm tool exits %d and says %q, want 1 and the file", code, out)
	}
	h.run("rm " + dir + "*.yaml")
	h.eventually("the tool is gone", func() error {
		if names := h.output("docker ps -a --format '{{.Names}}'"); names != "app" {
			return fmt.Errorf("containers are %q", names)
		}
		return nil
	})
	h.run("! systemctl is-active --quiet dockhost@tool")
}

// dockhostctl userdata says what was found, and shows it to root alone.
func TestUserDataCommandHidesSecrets(t *testing.T) {
	h := newHost(t)
	h.started()
	if out, code := h.try("dockhostctl userdata"); code != 0 || !strings.Contains(out, "datasource:   -") || !strings.Contains(out, "no datasource has user data") {
		t.Errorf("without user data it exits %d and says:\n%s", code, out)
	}
	h.assign(app())
	h.ready("app")
	out := h.run("dockhostctl userdata")
	for _, want := range []string{"NoCloud", "a seed directory", seed + "/user-data", "i-first", "text/cloud-config", "containers:   app"} {
		if !strings.Contains(out, want) {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	if all := out + h.run("dockhostctl userdata --json; dockhostctl userdata --fetch"); strings.Contains(all, "s3cret") {
		t.Errorf("it shows a password:\n%s", all)
	}
	var u api.UserData
	if err := json.Unmarshal([]byte(h.run("dockhostctl userdata --json")), &u); err != nil || u.FetchedAt == nil || len(u.Parts) != 1 {
		t.Errorf("--json says %+v, %v", u, err)
	}
	if raw := h.run("dockhostctl userdata --raw"); raw != "#cloud-config\n"+app() {
		t.Errorf("--raw prints %q", raw)
	}
	h.run("id fellow >/dev/null 2>&1 || useradd -m -G docker fellow")
	h.run("setpriv --reuid fellow --regid fellow --init-groups dockhostctl userdata")
	if out, code := h.try("setpriv --reuid fellow --regid fellow --init-groups dockhostctl userdata --raw"); code != 1 || !strings.Contains(out, "root alone") {
		t.Errorf("for another user --raw exits %d and prints %q", code, out)
	}
	h.run("systemctl stop dockhost.service dockhost.socket")
	if out, code := h.try("dockhostctl userdata"); code != 4 || !strings.Contains(out, "systemctl status dockhost") {
		t.Errorf("without the agent it exits %d and says %q", code, out)
	}
}
