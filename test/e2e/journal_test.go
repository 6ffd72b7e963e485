//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
)

// threeContainers have three images. One has a variable that must be told nowhere.
const threeContainers = `dockhost:
  containers:
    app:
      image: localhost:5000/app:1
      environment: {TOKEN: hunter2-%s}
    sleeper:
      image: localhost:5000/busybox
      command: [sleep, infinity]
    web:
      image: localhost:5000/nginx:1.22
      healthcheck: {test: ["CMD", "curl", "-fsk", "https://localhost/"], interval: 500ms}
      x-dockhost: {notify: healthy}
` + registries

// since are the options of journalctl for what was written since the time of mark.
// journalctl 252 leaves out the first entry that matches if it is given a cursor.
func since(mark string) string { return " --no-pager --since @" + mark[:len(mark)-6] + " " }

// journalEntries returns the entries of the journal that match, since a time in
// microseconds.
func (h *host) journalEntries(mark, match string) []map[string]any {
	h.Helper()
	var all []map[string]any
	for line := range strings.Lines(h.run("journalctl --sync; journalctl -q -o json" + since(mark) + match)) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			h.Fatalf("journalctl printed %q: %v", line, err)
		}
		if at, _ := entry["__REALTIME_TIMESTAMP"].(string); at > mark {
			all = append(all, entry)
		}
	}
	return all
}

// awaitEntry waits for an entry of an event about a container, by its MESSAGE_ID.
func (h *host) awaitEntry(mark string, event journal.Name, match string) map[string]any {
	h.Helper()
	var found []map[string]any
	h.eventually(string(event)+" is told", func() error {
		if found = h.journalEntries(mark, "MESSAGE_ID="+event.ID()+" "+match); len(found) == 0 {
			return errors.New("no entry")
		}
		return nil
	})
	return found[len(found)-1]
}

// A first boot with three containers is told in under 20 lines, with the same fields on
// each line about a container. A change is told by key, and a problem until it is solved.
func TestJournalTellsABoot(t *testing.T) {
	h := newHost(t)
	h.run("docker image prune -af >/dev/null") // other images share layers with those that are pulled
	h.userData("#cloud-config\n" + fmt.Sprintf(threeContainers, "first"))
	mark := h.output("journalctl --sync; date +%s%6N")
	h.run("systemctl start dockhost.socket dockhost.service")
	for _, name := range []string{"app", "sleeper", "web"} {
		h.ready(name)
	}
	var lines []string
	for _, entry := range h.journalEntries(mark, "-u dockhost.service -u 'dockhost@*.service'") {
		if id := entry["SYSLOG_IDENTIFIER"]; id == "dockhost" || id == "systemd" {
			lines = append(lines, fmt.Sprint(entry["MESSAGE"]))
		}
	}
	if len(lines) >= 20 || len(lines) < 10 {
		t.Errorf("the boot is told in %d lines, want 10 to 19:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	ready := h.awaitEntry(mark, journal.Ready, "CONTAINER_NAME=web")
	id := h.output("docker inspect -f '{{.Id}}' web")
	for field, want := range map[string]string{
		"CONTAINER_ID": id[:12], "CONTAINER_ID_FULL": id, "CONTAINER_TAG": "web", "IMAGE_NAME": "localhost:5000/nginx:1.22",
		"DOCKHOST_PHASE": "running", "DOCKHOST_EVENT": "ready", "OBJECT_SYSTEMD_UNIT": "dockhost@web.service",
	} {
		if ready[field] != want {
			t.Errorf("%s = %v, want %s", field, ready[field], want)
		}
	}
	pulled := h.awaitEntry(mark, journal.PullDone, "CONTAINER_NAME=app")
	// Docker 20.10 tells no bytes of a layer that arrives within 100 ms.
	if !strings.HasPrefix(fmt.Sprint(pulled["DIGEST"]), "sha256:") || pulled["BYTES"] == nil || pulled["SECONDS"] == nil {
		t.Errorf("pull = %v, want digest, bytes and seconds", pulled["MESSAGE"])
	}
	h.subtest("change", func(h *host) { h.changeIsTold(mark) })
	h.subtest("problem", func(h *host) { h.problemIsTold(mark) })
	if said := h.run("journalctl -o verbose" + since(mark) + "SYSLOG_IDENTIFIER=dockhost; dockhostctl events --json; cat /var/lib/dockhost/events.jsonl"); strings.Contains(said, "hunter2") {
		t.Errorf("a secret is told:\n%s", said)
	}
}

// changeIsTold changes a variable. The agent's line is found with the container's unit.
func (h *host) changeIsTold(mark string) {
	h.Helper()
	h.assign(fmt.Sprintf(threeContainers, "second"))
	entry := h.awaitEntry(mark, journal.Restarting, "-u dockhost@app")
	if want := "environment (TOKEN) changed"; entry["WHY"] != want || entry["_SYSTEMD_UNIT"] != "dockhost.service" {
		h.Errorf("restart of %v by %v, because %v, want %s", entry["CONTAINER_NAME"], entry["_SYSTEMD_UNIT"], entry["WHY"], want)
	}
	h.awaitEntry(mark, journal.Stopped, "-u dockhost@app")
	h.ready("app")
}

// problemIsTold refuses user data until it is mended. A container that fails is told.
func (h *host) problemIsTold(mark string) {
	h.Helper()
	h.assign("dockhost:\n  containers:\n    app: {image: localhost:5000/app:1, no-such-key: [x]}\n")
	refused := h.awaitEntry(mark, journal.AssignmentRefused, "")
	h.assign(fmt.Sprintf(threeContainers, "second"))
	if solved := h.awaitEntry(mark, journal.Solved, ""); solved["PROBLEM"] != refused["PROBLEM"] {
		h.Errorf("solved %v, want %v", solved["PROBLEM"], refused["PROBLEM"])
	}
	h.run("docker kill -s KILL sleeper >/dev/null")
	h.awaitEntry(mark, journal.Failed, "-u dockhost@sleeper")
	if out := h.run("journalctl --update-catalog && journalctl -x" + since(mark) + "MESSAGE_ID=" + journal.Failed.ID()); !strings.Contains(out, "has failed") {
		h.Errorf("journalctl -x does not explain it:\n%s", out)
	}
}

// events returns what dockhostctl events prints about a container, by name.
func (h *host) events(name string) map[string]api.Event {
	h.Helper()
	byName := map[string]api.Event{}
	for line := range strings.Lines(h.run("dockhostctl events --json " + name)) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			h.Fatalf("dockhostctl events printed %q: %v", line, err)
		}
		byName[e.Event] = e
	}
	return byName
}

// Events are kept while the agent is killed and its file is damaged. A follower gets what
// happens, over a restart of the agent.
func TestEventsAreKept(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	h.ready("app")
	if h.events("app")["ready"].Text == "" {
		h.eventually("ready is kept", func() error {
			if h.events("app")["ready"].Text == "" {
				return errors.New("no event")
			}
			return nil
		})
	}
	h.run("systemd-run --quiet --unit=follow-events -p StandardOutput=file:/run/followed dockhostctl events --follow")
	h.Cleanup(func() { h.run("systemctl stop follow-events; rm -f /run/followed") })
	h.run("systemctl kill --signal=KILL dockhost.service; printf '{\"at\":' >>/var/lib/dockhost/events.jsonl")
	h.reaches("dockhost.service", "active")
	h.run("systemctl stop dockhost@app")
	h.eventually("the stop is kept and followed", func() error {
		followed := h.run("cat /run/followed")
		if events := h.events("app"); events["stopped"].Event == "" || events["ready"].Event == "" || !strings.Contains(followed, "stopped") {
			return fmt.Errorf("events = %v, followed:\n%s", events, followed)
		}
		return nil
	})
	// The crash of the agent explains no stop: it was a person's, and lasts.
	if c, err := h.container("app"); err != nil || c.State != api.ContainerStopped {
		t.Errorf("status = %+v, %v, want it stopped", c, err)
	}
	out := h.run("dockhostctl changes --json")
	var changes []api.Event
	if err := json.Unmarshal([]byte(out), &changes); err != nil || len(changes) == 0 || changes[0].Event != "assignment-accepted" || changes[0].By != "user data" {
		t.Errorf("changes = %s, %v", out, err)
	}
}

// The phases of the boot and of a start are known, and drawn.
func TestAnalyze(t *testing.T) {
	h := newHost(t)
	h.run("docker image prune -af >/dev/null; rm -f /run/dockhost/boot.json")
	h.assign(app())
	h.ready("app")
	var a api.Analysis
	if out := h.run("dockhostctl analyze --json"); json.Unmarshal([]byte(out), &a) != nil || len(a.Containers) != 1 {
		t.Fatalf("dockhostctl analyze --json = %s", out)
	}
	var names []string
	for _, p := range a.Containers[0].Phases {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "docker login pull create start ready" || !a.Containers[0].Ready {
		t.Errorf("start = %+v", a.Containers[0])
	}
	boot := map[string]bool{}
	for _, p := range a.Boot {
		boot[p.Name] = true
	}
	if !boot["systemd"] || !boot["user data"] || !boot["assignment"] || !boot["docker"] {
		t.Errorf("boot = %+v", a.Boot)
	}
	if out := h.run("dockhostctl analyze blame app"); !strings.Contains(out, "app: pull localhost:5000/app:1") {
		t.Errorf("blame = %s", out)
	}
	if svg := h.run("dockhostctl analyze --plot /run/plot.svg && cat /run/plot.svg && rm /run/plot.svg"); !strings.Contains(svg, ">app</text>") {
		t.Errorf("plot = %s", svg)
	}
}
