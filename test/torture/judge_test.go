package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// TestJudge judges what facts.sh printed on a host that was well, and what it would print after something broke.
func TestJudge(t *testing.T) {
	raw, err := os.ReadFile("testdata/well.txt")
	if err != nil {
		t.Fatal(err)
	}
	if wrong := judge(parseFacts(string(raw))); len(wrong) > 0 {
		t.Errorf("judge(well) = %q, want nothing", wrong)
	}
	tests := []struct {
		name     string
		old, new string
		want     string
	}{
		{"a unit that does not run", "Id=dockhost@slow.service\nActiveState=active\nSubState=running", "Id=dockhost@slow.service\nActiveState=activating\nSubState=auto-restart", "(auto-restart)"},
		{"a container that ended", `"status":"running"`, `"status":"exited"`, "is exited"},
		{"another revision", "\ndata 0", "\ndata 1", "container data runs revision 0, want 1"},
		{"another image", `"image":"localhost:5000/app:2","env"`, `"image":"localhost:5000/app:1","env"`, "runs localhost:5000/app:1, want localhost:5000/app:2"},
		{"a container of another unit", "== cgroups", `{"id":"f00","name":"/old","status":"exited","unit":"dockhost@old.service"}` + "\n== cgroups", "container old of unit"},
		{"a cgroup of Docker", "== processes", "/sys/fs/cgroup/system.slice/docker-f00.scope\n== processes", "docker-f00.scope is left over"},
		{"a process in no unit", "== programs", "== programs\n99999", "process 99999"},
		{"a shim without a container", "== files", "77 containerd-shim-runc-v2 -namespace moby -id f00 -address /run/x\n== files", "shim 77"},
		{"a placement", "== dropins", "f 600 /run/dockhost/runtime/f00.json\n== dropins", "runtime/f00.json is left over"},
		{"a notify socket", "== dropins", "s 666 /run/dockhost/runtime/notify-99999\n== dropins", "notify-99999 is left over"},
		{"a claim", "== dropins", "f 600 /run/dockhost/images/claim-1\n== dropins", "images/claim-1 is left over"},
		{"a state", "== dropins", "f 600 /run/dockhost/state/old.json\n== dropins", "state/old.json is left over"},
		{"no description", "/run/dockhost/containers/data.json", "/run/dockhost/x", "containers/data.json is missing"},
		{"no drop-in", "/run/systemd/system/dockhost@slow.service.d\n", "", "dockhost@slow.service.d is missing"},
		{"a drop-in", "== mounts", "/run/systemd/system/dockhost@old.service.d\n== mounts", "dockhost@old.service.d is left over"},
		{"a mount", "== volumes", "/var/lib/docker/overlay2/f00/merged\n== volumes", "overlay2/f00/merged is left over"},
		{"a volume", "== wanted", "f00\n== wanted", "volumes"},
		{"a false exit status", "exit 0", "exit 3", "status exits 3, want 0"},
		{"a status that hides a problem", `"ready":true`, `"ready":false`, "status exits 0, want 3"},
		{"a container that is not ready", `"ready":true`, `"ready":false`, "is not ready"},
		{"an Engine that does not answer", "== cgroups", `{"error": "docker ps does not answer"}` + "\n== cgroups", "does not answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(string(raw), test.old) {
				t.Fatalf("testdata/well.txt lacks %q", test.old)
			}
			wrong := judge(parseFacts(strings.Replace(string(raw), test.old, test.new, 1)))
			if !slices.ContainsFunc(wrong, func(text string) bool { return strings.Contains(text, test.want) }) {
				t.Errorf("judge() = %q, want %q", wrong, test.want)
			}
		})
	}
}

// TestJudgeRollback judges a container of which the status says that a change of it failed.
func TestJudgeRollback(t *testing.T) {
	raw, err := os.ReadFile("testdata/well.txt")
	if err != nil {
		t.Fatal(err)
	}
	back := api.Update{State: api.OutcomeRolledBack, Why: "container ended with exit code 3", Quarantined: []api.Revision{{Why: "container ended with exit code 3"}}}
	tests := []struct {
		name   string
		update api.Update
		exit   int
		want   string
	}{
		{"told", back, 3, ""},
		{"status says that all is well", back, 0, "status exits 0, want 3"},
		{"status does not say why", api.Update{State: api.OutcomeRolledBack, Quarantined: back.Quarantined}, 3, "container data runs revision 0, want 1"},
		{"not in quarantine", api.Update{State: api.OutcomeRolledBack, Why: "it failed"}, 3, "container data runs revision 0, want 1"},
		{"confirmed", api.Update{State: api.OutcomeConfirmed}, 0, "container data runs revision 0, want 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := parseFacts(strings.Replace(string(raw), "\ndata 0", "\ndata 1", 1))
			i := slices.IndexFunc(f.status.Containers, func(c api.Container) bool { return c.Name == "data" })
			f.status.Containers[i].Update, f.exit, f.status.Well = &test.update, test.exit, test.exit == 0
			wrong := strings.Join(judge(f), "\n")
			if (test.want == "") != (wrong == "") || !strings.Contains(wrong, test.want) {
				t.Errorf("judge() = %q, want %q", wrong, test.want)
			}
			if told := test.want == "" || test.exit == 0 && test.update.State == api.OutcomeRolledBack; slices.Contains(f.wentBack(), "data") != told {
				t.Errorf("wentBack() = %q", f.wentBack())
			}
		})
	}
}

// TestJudgeHistory judges updates that were rolled back during a step.
func TestJudgeHistory(t *testing.T) {
	terminated := strike{fault: &fault{name: "first process is terminated", blames: true}, target: "extra"}
	restarted := strike{fault: &fault{name: "Docker is restarted"}, target: "extra"}
	tests := []struct {
		name   string
		strike strike
		entry  api.HistoryEntry
		want   string
	}{
		{"confirmed", restarted, api.HistoryEntry{Name: "extra", Outcome: api.OutcomeConfirmed}, ""},
		{"ended by itself", terminated, api.HistoryEntry{Name: "extra", Outcome: api.OutcomeRolledBack, Why: "exit code 143"}, ""},
		{"another container", terminated, api.HistoryEntry{Name: "data", Outcome: api.OutcomeRolledBack, Why: "exit code 143"}, "it is not to blame"},
		{"Docker ended it", restarted, api.HistoryEntry{Name: "extra", Outcome: api.OutcomeRolledBack, Why: "exit code 1"}, "it is not to blame"},
		{"restarted often", restarted, api.HistoryEntry{Name: "extra", Outcome: api.OutcomeRolledBack, Why: "systemd has restarted it 4 times"}, ""},
		{"failed", terminated, api.HistoryEntry{Name: "extra", Outcome: api.OutcomeFailed, Why: "exit code 143"}, "was not rolled back"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wrong := strings.Join(judgeHistory([]api.HistoryEntry{test.entry}, step{strikes: []strike{test.strike}}), "\n")
			if (test.want == "") != (wrong == "") || !strings.Contains(wrong, test.want) {
				t.Errorf("judgeHistory() = %q, want %q", wrong, test.want)
			}
		})
	}
}

// TestWatch judges one step after the other.
func TestWatch(t *testing.T) {
	tests := []struct {
		name   string
		second deepFacts
		loses  bool
		want   string
	}{
		{"the next lines", deepFacts{lines: []int{4, 5}, born: "a"}, false, ""},
		{"a restart", deepFacts{lines: []int{4, 1, 2}, born: "a"}, false, ""},
		{"a gap", deepFacts{lines: []int{5}, born: "a"}, false, "lacks the logger's lines 4 to 4"},
		{"a gap that may be", deepFacts{lines: []int{5}, born: "a"}, true, ""},
		{"a doubled line", deepFacts{lines: []int{3, 4}, born: "a"}, true, "line 3 after line 3"},
		{"no line", deepFacts{born: "a"}, false, "no line"},
		{"lost data", deepFacts{lines: []int{4}, born: "b"}, false, "its data is lost"},
		{"a secret", deepFacts{lines: []int{4}, born: "a", secrets: []string{"journal 1"}}, false, "a secret is shown: journal 1"},
		{"a broken file", deepFacts{lines: []int{4}, born: "a", broken: []string{"/x.json"}}, false, "/x.json cannot be parsed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var w watch
			first := deepFacts{lines: []int{1, 2, 3}, born: "a"}
			if wrong := w.judge(first, false); len(wrong) > 0 {
				t.Fatalf("judge(first) = %q", wrong)
			}
			wrong := strings.Join(w.judge(test.second, test.loses), "\n")
			if (test.want == "") != (wrong == "") || !strings.Contains(wrong, test.want) {
				t.Errorf("judge() = %q, want %q", wrong, test.want)
			}
		})
	}
}

// TestWatchSizes measures the same processes again and again.
func TestWatchSizes(t *testing.T) {
	var w watch
	for _, test := range []struct {
		name string
		now  size
		want string
	}{
		{"first", size{"u", 1, 10, 100}, ""},
		{"descriptors", size{"u", 1, 30, 100}, "30 descriptors, 10 at first"},
		{"memory", size{"u", 1, 10, 20_000}, "20000 KiB"},
		{"small again", size{"u", 1, 20, 8_000}, ""},
		{"another process", size{"u", 2, 30, 20_000}, ""},
	} {
		wrong := strings.Join(w.judgeSizes([]size{test.now}), "\n")
		if (test.want == "") != (wrong == "") || !strings.Contains(wrong, test.want) {
			t.Errorf("%s: judgeSizes() = %q, want %q", test.name, wrong, test.want)
		}
	}
}
