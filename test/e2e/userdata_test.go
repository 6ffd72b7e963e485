//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// services returns a Compose file with one service.
func services(name, image string, keys ...string) string {
	text := "services:\n  " + name + ":\n    image: " + image + "\n"
	for _, key := range keys {
		text += "    " + key + "\n"
	}
	return text + "x-dockhost:\n" + registries
}

// assigned is user data with a container app that answers on port 8080, and a
// container tool that prints a word.
func assigned(word string) string {
	return `#cloud-config
dockhost:
  containers:
    app: {image: "localhost:5000/app:1", ports: ["8080:8080"]}
    tool: {image: "localhost:5000/busybox", command: [sh, -c, "trap exit TERM; echo ` + word + `; sleep 1000 & wait"]}
` + registries
}

// ran waits until the container tool has printed a word.
func (h *host) ran(word string) {
	h.Helper()
	h.eventually("tool prints "+word, func() error {
		if out, _ := h.try("docker logs tool 2>&1"); !strings.Contains(out, word) {
			return fmt.Errorf("it prints %q", out)
		}
		return nil
	})
}

// started starts the agent. The tests that use it never reload the agent.
func (h *host) started() {
	h.Helper()
	h.run("systemctl start dockhost.socket dockhost.service")
}

// TestChangedUserDataTakesEffect changes user data without a reload: the change
// takes effect, and restarts only the changed container.
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
			t.Error("tool was restarted")
		}
		if n := strings.Count(h.journal("dockhost"), place) - logged; n != 1 {
			t.Errorf("the journal has the problem %d times, want once", n)
		}
	})
	t.Run("another seed directory takes effect", func(t *testing.T) {
		h := &host{t}
		h.run("mv /var/lib/cloud/seed/nocloud /var/lib/cloud/seed/nocloud-net")
		h.write("/var/lib/cloud/seed/nocloud-net/user-data", assigned("fourth"))
		h.ran("fourth")
		if s, _ := h.status(); s.Source.Path != "/var/lib/cloud/seed/nocloud-net/user-data" || s.Source.LastKnownGood {
			t.Errorf("status = %+v, want the other directory", s.Source)
		}
	})
	if h.pid("app") != pid {
		t.Errorf("pid of app = %s, want %s: it has not changed", h.pid("app"), pid)
	}
	h.run("echo '#cloud-config' >/var/lib/cloud/seed/nocloud-net/user-data")
	h.forgotten("app")
	h.forgotten("tool")
}

// composeFiles is the directory of the host's Compose files.
const composeFiles = "/etc/dockhost/containers/"

// TestComposeFilesRun writes, changes and removes Compose files: their services
// run, change and stop.
func TestComposeFilesRun(t *testing.T) {
	h := newHost(t)
	h.started()
	const dir = composeFiles
	h.write(dir+"app.yaml", services("app", "localhost:5000/app:1", "ports: ['8080:8080']"))
	h.write(dir+"tool.yaml", services("tool", "localhost:5000/busybox", "command: [sh, -c, 'trap exit TERM; sleep 1000 & wait']"))
	if c := h.ready("app"); c.Origin != api.OriginFile {
		t.Errorf("status of app = %+v, want a file as its origin", c)
	}
	h.ready("tool")
	tool := h.pid("tool")

	h.write(dir+"app.yaml", services("app", "localhost:5000/app:2", "ports: ['8080:8080']"))
	h.eventually("app:2 runs", func() error {
		if c, err := h.container("app"); err != nil || c.Image != "localhost:5000/app:2" || !c.Ready || c.Pending != nil {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	if h.pid("tool") != tool {
		t.Error("tool was restarted without a change")
	}
	h.subtest("a wrong file changes nothing", checkWrongComposeFile)
	h.subtest("user data wins", checkUserDataOverComposeFile)
	if out, code := h.try("dockhostctl rm tool"); code != 1 || !strings.Contains(out, dir+"tool.yaml") {
		t.Errorf("dockhostctl rm tool exits %d and prints %q, want 1 and the file", code, out)
	}
	h.run("rm " + dir + "*.yaml")
	h.eventually("tool is gone", func() error {
		if names := h.output("docker ps -a --format '{{.Names}}'"); names != "app" {
			return fmt.Errorf("containers = %q", names)
		}
		return nil
	})
	h.run("! systemctl is-active --quiet dockhost@tool")
}

func checkWrongComposeFile(h *host) {
	const file = composeFiles + "tool.yaml"
	pid := h.pid("tool")
	h.write(file, services("tool", "localhost:5000/busybox", "comand: [x]"))
	h.eventually("the file is refused", func() error {
		if s, code := h.status(); code != 3 || len(s.Source.Problems) != 1 || !strings.HasPrefix(s.Source.Problems[0], file+":4:5 services.tool.comand: unknown key") {
			return fmt.Errorf("status exits %d with %+v", code, s.Source)
		}
		return nil
	})
	if h.pid("tool") != pid {
		h.Error("tool was restarted")
	}
}

func checkUserDataOverComposeFile(h *host) {
	h.userData("#cloud-config\n" + app("ports: ['8080:8080']"))
	h.eventually("app:1 of the user data runs", func() error {
		if c, err := h.container("app"); err != nil || c.Image != "localhost:5000/app:1" || c.Origin != api.OriginUserData || !c.Ready {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	if s, _ := h.status(); !strings.Contains(strings.Join(s.Source.Problems, "\n"), `container "app" is declared by the user data, and by `+composeFiles+"app.yaml, too") {
		h.Errorf("status = %+v, want the clash as a problem", s.Source)
	}
}

// TestUserDataCommandHidesSecrets checks dockhostctl userdata: it describes the
// user data to everyone, and shows the text only to root.
func TestUserDataCommandHidesSecrets(t *testing.T) {
	h := newHost(t)
	h.started()
	if out, code := h.try("dockhostctl userdata"); code != 0 || !strings.Contains(out, "datasource:   -") || !strings.Contains(out, "no datasource has user data") {
		t.Errorf("userdata without user data exits %d and prints:\n%s", code, out)
	}
	h.assign(app())
	h.ready("app")
	out := h.run("dockhostctl userdata")
	for _, want := range []string{"NoCloud", "a seed directory", seed + "/user-data", "i-first", "text/cloud-config", "containers:   app"} {
		if !strings.Contains(out, want) {
			t.Errorf("userdata prints %q, want %q in it", out, want)
		}
	}
	if all := out + h.run("dockhostctl userdata --json; dockhostctl userdata --fetch"); strings.Contains(all, "s3cret") {
		t.Errorf("userdata shows a password:\n%s", all)
	}
	var u api.UserData
	if err := json.Unmarshal([]byte(h.run("dockhostctl userdata --json")), &u); err != nil || u.FetchedAt == nil || len(u.Parts) != 1 {
		t.Errorf("userdata --json = %+v, %v, want a time and one part", u, err)
	}
	if raw := h.run("dockhostctl userdata --raw"); raw != "#cloud-config\n"+app() {
		t.Errorf("userdata --raw prints %q, want the user data", raw)
	}
	h.run("id fellow >/dev/null 2>&1 || useradd -m -G docker fellow")
	h.run("setpriv --reuid fellow --regid fellow --init-groups dockhostctl userdata")
	if out, code := h.try("setpriv --reuid fellow --regid fellow --init-groups dockhostctl userdata --raw"); code != 1 || !strings.Contains(out, "only root may") {
		t.Errorf("userdata --raw of another user exits %d and prints %q, want 1", code, out)
	}
	h.run("systemctl stop dockhost.service dockhost.socket")
	if out, code := h.try("dockhostctl userdata"); code != 4 || !strings.Contains(out, "systemctl status dockhost") {
		t.Errorf("userdata without the agent exits %d and prints %q, want 4", code, out)
	}
}
