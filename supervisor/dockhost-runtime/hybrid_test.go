package main

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// On a hybrid host the container's processes are born in its v2 cgroup too, which runc
// before 1.0.0-rc94 does not enter, and systemd follows.
func TestHybridHostIsEntered(t *testing.T) {
	const leaf = "unified/system.slice/dockhost@web.service/container"
	for name, c := range map[string]struct {
		args        string
		trees       []string
		controllers []string
		want        bool
	}{
		"create":            {args: create, trees: []string{"systemd", "unified"}, want: true},
		"exec":              {args: "--root /r exec --process /p --detach " + id, trees: []string{"systemd", "unified"}, want: true},
		"start":             {args: "--root /r start " + id, trees: []string{"systemd", "unified"}},
		"kill":              {args: "--root /r kill " + id + " 15", trees: []string{"systemd", "unified"}},
		"named hierarchies": {args: create, trees: []string{"systemd", "unified"}, controllers: []string{"memory"}},
		"v2 alone":          {args: create},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree(c.trees...)
			h.config(managed + "/" + id)
			for _, tree := range append(c.trees, ".") {
				h.cgroup(tree+"/system.slice/dockhost@web.service", "")
			}
			h.cgroup(leaf, "")
			place := web()
			place.Controllers = c.controllers
			h.place(place)
			if status := h.run(c.args); status != 0 {
				t.Fatalf("run = %d: %s", status, h.stderr.String())
			}
			want := ""
			if c.want {
				want = strconv.Itoa(os.Getpid())
			}
			if got := h.read("cgroup/" + leaf + "/cgroup.procs"); got != want {
				t.Errorf("the container's v2 cgroup contains process %q, want %q", got, want)
			}
		})
	}
}

// dockerd waits for this answer when it starts.
func TestFeatures(t *testing.T) {
	h := newHost(t)
	h.run("features")
	h.wantRan("@bin/runc features")
	h = newHost(t)
	h.mkdir("loop") // a runc that is dockhost-runtime itself cannot be run either
	h.link("bin/self", "loop/runc")
	h.env = []string{"PATH=" + h.path("loop")}
	if status := h.run("features"); status != 0 || h.ran != nil || !json.Valid([]byte(h.stdout.String())) || h.stderr.String() != "" {
		t.Errorf("run = %d, ran %q, printed %q and %q, want an answer without runc", status, h.ran, h.stdout.String(), h.stderr.String())
	}
}
