package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/agent/api"
)

// file puts a Compose file into the directory; each container is "name image".
func (h *testHost) file(name string, each ...string) {
	h.Helper()
	text := "services:\n"
	for _, c := range each {
		container, image, _ := strings.Cut(c, " ")
		text += "  " + container + ":\n    image: " + image + "\n"
	}
	h.write(filepath.Join(filesDir, name), text)
}

func TestFiles(t *testing.T) {
	h := newTestHost(t)
	takeOver := func() *Agent {
		a := h.agent()
		a.takeOver(t.Context()).wait()
		return a
	}
	h.engine.registry["nginx:2"] = true
	h.file("web.yaml", "web nginx:1")
	h.file("more.yml", "db postgres:1", "cache redis:1")
	h.file("web.yaml.bak", "x y:1")
	h.file(".hidden.yaml", "x y:1")
	a := takeOver()
	h.wantRunning(map[string]int{"web": 1, "db": 1, "cache": 1})
	if got, want := a.reporter.line(), "0 containers assigned, no user data; 3 declared in /etc/dockhost/containers"; got != want {
		t.Errorf("status line = %q, want %q", got, want)
	}
	if origin := a.store.snapshot().accepted.origin("web"); origin != api.OriginFile {
		t.Errorf("origin = %q, want %q", origin, api.OriginFile)
	}

	// A changed container is restarted, a wrong file changes nothing, and removal ends it.
	h.file("web.yaml", "web nginx:2")
	h.write(filepath.Join(filesDir, "more.yml"), "services: {db: {image: postgres:1, imge: x}}\n")
	a = takeOver()
	h.wantRunning(map[string]int{"web": 2, "db": 1, "cache": 1})
	want := `/etc/dockhost/containers/more.yml:1:36 services.db.imge: unknown key "imge" (did you mean "image"?)`
	if got := strings.Join(a.store.snapshot().source.Problems, "\n"); got != want || a.store.snapshot().source.LastKnownGood {
		t.Errorf("problems = %s, want %s", got, want)
	}
	if err := os.Remove(filepath.Join(h.root, filesDir, "more.yml")); err != nil {
		t.Fatal(err)
	}
	a = takeOver()
	h.wantRunning(map[string]int{"web": 2})
	if len(a.store.snapshot().source.Problems) > 0 {
		t.Errorf("problems = %v, want none", a.store.snapshot().source.Problems)
	}
}

// The user data takes precedence over a file, a file over one with a later name, and
// that over dockhostctl run.
func TestPrecedenceOfLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.declare(h.agent(), local("cache", "redis:3"))
		h.userData("i-1", containers("web nginx:1"))
		h.file("a.yaml", "web nginx:2", "db postgres:1")
		h.file("b.yaml", "db postgres:2", "cache redis:2")
		h.boot()
		a := h.agent()
		rollouts := a.takeOver(t.Context())
		synctest.Wait()
		for name, image := range map[string]string{"web": "nginx:1", "db": "postgres:1"} {
			if got := a.store.snapshot().accepted.container(name).Image; got != image {
				t.Errorf("%s runs %s, want %s", name, got, image)
			}
		}
		// What ran before keeps running until its successor can run.
		if p := pendingOf(a, "cache"); a.store.snapshot().accepted.container("cache").Image != "redis:3" || p.Image != "redis:2" {
			t.Errorf("cache runs %s, pending %+v", a.store.snapshot().accepted.container("cache").Image, p)
		}
		rollouts.stop()
		h.wantRunning(map[string]int{"web": 1, "db": 1, "cache": 1})
		want := []string{
			`container "web" is declared by the user data, and by /etc/dockhost/containers/a.yaml, too: the first counts (take it out of the file)`,
			`container "db" is declared by /etc/dockhost/containers/a.yaml, and by /etc/dockhost/containers/b.yaml, too: the first counts (take it out of the file)`,
			`container "cache" is declared by /etc/dockhost/containers/b.yaml, and by dockhostctl run, too: the first counts (forget the other with: dockhostctl rm cache)`,
		}
		if got := strings.Join(a.store.snapshot().accepted.clashes(), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("clashes =\n%s, want\n%s", got, strings.Join(want, "\n"))
		}
		// The file's container runs once the user data does not assign it.
		h.engine.registry["nginx:2"] = true
		h.userData("i-1", "runcmd: [ls]\n")
		a = h.agent()
		rollouts = a.takeOver(t.Context())
		if p := pendingOf(a, "web"); p.Image != "nginx:2" {
			t.Errorf("pending web = %+v, want nginx:2", p)
		}
		rollouts.stop()
	})
}

// Files are for the machine: their containers run although the user data is wrong or
// missing.
func TestFilesWithoutUserData(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", "dockhost: [\n")
	h.file("web.yaml", "web nginx:1")
	a := h.agent()
	a.takeOver(t.Context()).wait()
	h.wantRunning(map[string]int{"web": 1})
	if a.store.snapshot().source.LastKnownGood || len(a.store.snapshot().source.Problems) != 1 {
		t.Errorf("source = %+v, want one problem and no last known good", a.store.snapshot().source)
	}
	h.userData("i-1", containers("db postgres:1"))
	h.agent().takeOver(t.Context()).wait()
	h.wantRunning(map[string]int{"web": 1, "db": 1})
}

// The directories in which a file looks for others are watched, also for one that is
// missing. A service that is left out is named once in the journal, and in the status.
func TestFilesBesideAndProfiles(t *testing.T) {
	h := newTestHost(t)
	core, logs := observer.New(zap.WarnLevel)
	logged := func(o *Options) { o.Log = zap.New(core) }
	h.file("parts/db.yaml", "db postgres:1")
	h.write(filepath.Join(filesDir, "shop.yaml"), `include: [parts/db.yaml]
services:
  web: {image: "nginx:1", extends: {file: base/web.yaml, service: web}}
  debug: {image: "nginx:1", profiles: [tools]}
`)
	a := h.agent(logged)
	a.takeOver(t.Context()).wait()
	want := []string{filesDir, filesDir + "/base", filesDir + "/parts"}
	for i := range want {
		want[i] = filepath.Join(h.root, want[i])
	}
	if diff := cmp.Diff(want, <-a.beside); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}

	h.write(filepath.Join(filesDir, "base/web.yaml"), "services: {web: {image: \"nginx:0\"}}\n")
	a.takeOver(t.Context()).wait()
	a.takeOver(t.Context()).wait()
	h.wantRunning(map[string]int{"web": 1, "db": 1})
	const warning = "/etc/dockhost/containers/shop.yaml: services.debug is left out: none of its profiles is active (tools; x-dockhost.profiles activates them)"
	if note := a.store.snapshot().source.Note; !strings.Contains(note, warning) {
		t.Errorf("note = %q, want %q in it", note, warning)
	}
	if n := logs.FilterMessage("file accepted with a warning").Len(); n != 1 {
		t.Errorf("the warning is logged %d times, want once: %v", n, logs.All())
	}
}
