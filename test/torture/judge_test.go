package main

import (
	"os"
	"slices"
	"strings"
	"testing"
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
		{"descriptors", deepFacts{lines: []int{4}, born: "a", sizes: []size{{"u", 1, 30, 100}}}, false, "30 descriptors, 10 at first"},
		{"memory", deepFacts{lines: []int{4}, born: "a", sizes: []size{{"u", 1, 10, 20_000}}}, false, "20000 KiB"},
		{"another process", deepFacts{lines: []int{4}, born: "a", sizes: []size{{"u", 2, 30, 20_000}}}, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var w watch
			first := deepFacts{lines: []int{1, 2, 3}, born: "a", sizes: []size{{"u", 1, 10, 100}}}
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
