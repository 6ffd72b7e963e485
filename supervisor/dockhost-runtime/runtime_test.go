package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// host is a directory tree with the files that the program reads on a real host.
type host struct {
	t      *testing.T
	dir    string
	env    []string
	stdout strings.Builder
	stderr strings.Builder
	// ran is the command line that the program executed.
	ran []string
	// files are the descriptors that the program passed on.
	files []int
	// execErr is what exec returns.
	execErr error
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	h.env = []string{"PATH=" + h.path("bin"), "X=y"}
	for _, dir := range []string{"placements", "bin", "bundle", "cgroup"} {
		h.mkdir(dir)
	}
	for _, name := range []string{"runc", "crun", "self"} {
		h.write("bin/"+name, name, 0o755)
	}
	h.link("bin/self", "self")
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) mkdir(name string) {
	h.t.Helper()
	if err := os.MkdirAll(h.path(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) write(name, content string, mode os.FileMode) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(content), mode); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(h.path(name), mode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) link(to, name string) {
	h.t.Helper()
	if err := os.Symlink(h.path(to), h.path(name)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) read(name string) string {
	h.t.Helper()
	raw, err := os.ReadFile(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}

func (h *host) place(p placement.Placement) {
	h.t.Helper()
	if err := placement.Write(h.path("placements"), id, p); err != nil {
		h.t.Fatal(err)
	}
}

// tree makes the host one of cgroup v2, or of v1 with these hierarchies.
func (h *host) tree(v1 ...string) {
	h.t.Helper()
	if len(v1) == 0 {
		h.write("cgroup/cgroup.controllers", "", 0o644)
	}
	for _, tree := range v1 {
		h.mkdir("cgroup/" + tree)
		h.write("cgroup/"+tree+"/cgroup.procs", "", 0o644)
	}
}

// cgroup creates a cgroup with these processes.
func (h *host) cgroup(path, procs string) {
	h.t.Helper()
	h.mkdir("cgroup/" + path)
	h.write("cgroup/"+path+"/cgroup.procs", procs, 0o644)
}

// config writes the bundle's configuration with the given cgroup path.
func (h *host) config(cgroupsPath string) {
	h.t.Helper()
	h.write("bundle/config.json", `{"linux": {"cgroupsPath": "`+cgroupsPath+`"}}`, 0o640)
}

func (h *host) run(args string) int {
	h.t.Helper()
	p := program{
		stdout:     &h.stdout,
		placements: h.path("placements"),
		cgroups:    cgroups(h.path("cgroup")),
		self:       h.path("self"),
		exec: func(path string, argv, env []string, files []int) error {
			h.files = files
			if path != argv[0] || !slices.Equal(env, h.env) {
				h.t.Errorf("exec(%q, %q, %q), want the path as the first argument and the environment unchanged", path, argv, env)
			}
			h.ran = argv
			return h.execErr
		},
	}
	return p.run(h.split(args), h.env, &h.stderr)
}

// split splits a command line at blanks; @ stands for the host's directory.
func (h *host) split(args string) []string {
	return strings.Fields(strings.ReplaceAll(args, "@", h.dir+"/"))
}

func (h *host) wantRan(args string) {
	h.t.Helper()
	if want := h.split(args); !slices.Equal(h.ran, want) {
		h.t.Errorf("ran %q, want %q (stderr: %s)", h.ran, want, h.stderr.String())
	}
}

func (h *host) wantConfig(want string) {
	h.t.Helper()
	want = strings.ReplaceAll(want, "@bin", h.path("bin"))
	if got := h.read("bundle/config.json"); got != want {
		h.t.Errorf("config.json = %s, want %s", got, want)
	}
}

func (h *host) wantError(status int, want string) {
	h.t.Helper()
	if got := strings.TrimSuffix(h.stderr.String(), "\n"); status != 1 || !strings.Contains(got, want) {
		h.t.Errorf("run = %d, stderr %q, want 1 and %q", status, got, want)
	}
	if h.ran != nil {
		h.t.Errorf("ran %q, want nothing", h.ran)
	}
}

const create = "--root /r --log @bundle/log.json --log-format json --systemd-cgroup create --bundle @bundle --pid-file /p " + id

var managed = placement.CgroupParent("dockhost@web.service")

func TestCallsThatPassUntouched(t *testing.T) {
	for name, args := range map[string]string{
		"create": create,
		"start":  "--root /r --systemd-cgroup start " + id,
		"delete": "--root /r --systemd-cgroup delete " + id,
		"no id":  "--version",
		"none":   "",
		"events": "--root /r --log /l events --stats " + id,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.config("system.slice:docker:" + id)
			before := h.read("bundle/config.json")
			if status := h.run(args); status != 0 {
				t.Errorf("run = %d, want 0", status)
			}
			h.wantRan("@bin/runc " + args)
			if after := h.read("bundle/config.json"); after != before {
				t.Errorf("config.json = %s, want %s", after, before)
			}
		})
	}
}

func TestUnmanagedWithoutLinuxSection(t *testing.T) {
	h := newHost(t)
	h.write("bundle/config.json", `{"vm": {}}`, 0o644)
	h.run(create)
	h.wantRan("@bin/runc " + create)
}

func TestCreateInPlace(t *testing.T) {
	const config = `"linux":{"cgroupsPath":"/system.slice/dockhost@web.service/container"},"mounts":[{"destination":"/x"}]`
	const leave = `"hooks":{"poststop":[{"path":"@bin/self","args":["@bin/self","leave","/system.slice/dockhost@web.service/container"]}]}`
	for name, c := range map[string]struct {
		v1           []string
		unit, driver string
		want         string
	}{
		"unified, systemd driver": {nil, "system.slice/dockhost@web.service", ":docker:", "{" + config + "}"},
		"hybrid, cgroupfs driver": {[]string{"systemd", "unified"}, "systemd/system.slice/dockhost@web.service", "/", "{" + leave + "," + config + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree(c.v1...)
			h.config(managed + c.driver + id)
			h.cgroup(c.unit, "")
			place := web()
			place.Runtime, place.RuntimeArgs = "crun", []string{"--platform=create", "--systemd-cgroup", "--debug"}
			place.Edits = []byte(`{"mounts":[{"destination":"/x"}]}`)
			h.place(place)
			h.run(create)
			h.wantRan("@bin/crun --platform=create --debug " + strings.Replace(create, "--systemd-cgroup ", "", 1))
			h.wantConfig(c.want)
			if info, _ := os.Stat(h.path("bundle/config.json")); info.Mode().Perm() != 0o640 {
				t.Errorf("config.json has mode %v, want 0640", info.Mode())
			}
			if left, _ := os.ReadDir(h.path("bundle")); len(left) != 1 {
				t.Errorf("the bundle contains %v, want config.json only", left)
			}
		})
	}
}

func TestLaterCommandsFindTheRuntimeAfterTheUnitHasGone(t *testing.T) {
	for _, command := range []string{"state", "start", "kill", "delete", "exec", "ps", "events", "update", "pause", "resume", "checkpoint"} {
		t.Run(command, func(t *testing.T) {
			h := newHost(t)
			place := web()
			place.Runtime, place.RuntimeArgs = h.path("bin/crun"), []string{"--debug"}
			h.place(place)
			h.run("--root /r --systemd-cgroup " + command + " --x " + id + " y")
			h.wantRan("@bin/crun --debug --root /r " + command + " --x " + id + " y")
		})
	}
}

func TestRefusal(t *testing.T) {
	const want = "container belongs to dockhost@web.service, which is not running (start it with: systemctl start dockhost@web.service)"
	for name, prepare := range map[string]func(h *host){
		"no placement, systemd driver":  func(h *host) { h.config(managed + ":docker:" + id) },
		"no placement, cgroupfs driver": func(h *host) { h.config(managed + "/" + id) },
		"unit has gone": func(h *host) {
			h.config(managed + "/" + id)
			h.place(web())
		},
		"only the slice is there": func(h *host) {
			h.config(managed + "/" + id)
			h.tree()
			h.mkdir("cgroup/system.slice")
			h.place(web())
		},
		"left in a tree that is not systemd's": func(h *host) {
			h.config(managed + "/" + id)
			h.tree("systemd", "memory")
			h.cgroup("memory"+web().UnitCgroup(), "")
			h.place(web())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			prepare(h)
			before := h.read("bundle/config.json")
			h.wantError(h.run(create), want)
			if after := h.read("bundle/config.json"); after != before {
				t.Errorf("config.json = %s, want %s", after, before)
			}
			var line struct {
				Level string
				Msg   string
				Time  time.Time
			}
			if err := json.Unmarshal([]byte(h.read("bundle/log.json")), &line); err != nil {
				t.Fatal(err)
			}
			if line.Level != "error" || line.Msg != want || line.Time.IsZero() {
				t.Errorf("log.json = %+v, want level error, message %q and a time", line, want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	placed := func(runtime string) func(h *host) {
		return func(h *host) {
			h.config(managed + "/" + id)
			h.tree()
			h.cgroup(web().UnitCgroup(), "")
			place := web()
			place.Runtime = runtime
			h.place(place)
		}
	}
	for name, c := range map[string]struct {
		prepare func(h *host)
		want    string
	}{
		"no config.json":        {func(*host) {}, "read OCI configuration: open "},
		"config.json cut off":   {func(h *host) { h.write("bundle/config.json", `{"linux":`, 0o644) }, "config.json: unexpected end of JSON input"},
		"broken placement":      {func(h *host) { h.write("placements/"+id+".json", "{", 0o644) }, "read placement "},
		"no linux section":      {func(h *host) { placed("")(h); h.write("bundle/config.json", `{}`, 0o644) }, "linux is missing"},
		"unknown runtime":       {placed("none"), `cannot find OCI runtime "none" in PATH (`},
		"missing runtime":       {placed("/none/runc"), "cannot run OCI runtime: stat /none/runc: no such file or directory"},
		"relative runtime":      {placed("bin/runc"), `cannot run OCI runtime "bin/runc": neither a name nor an absolute path`},
		"runtime is us by name": {placed("dockhost"), `OCI runtime "dockhost" is dockhost itself`},
		"runtime is us by path": {placed("/usr/libexec/dockhost/dockhost-runtime"), "is dockhost itself"},
		"runtime is us by file": {placed("self"), "is dockhost itself"},
		"runc is us by a link": {func(h *host) {
			placed("")(h)
			_ = os.Remove(h.path("bin/runc"))
			h.link("bin/self", "bin/runc")
		}, "is dockhost itself"},
		"not executable": {func(h *host) {
			placed(h.path("bin/runc"))(h)
			h.write("bin/runc", "", 0o644)
		}, "bin/runc: not an executable file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			c.prepare(h)
			h.wantError(h.run(create), c.want)
		})
	}
}

func TestExecFails(t *testing.T) {
	h := newHost(t)
	h.execErr = syscall.EACCES
	status := h.run("--version")
	if want := "exec " + h.path("bin/runc") + ": permission denied\n"; status != 1 || h.stderr.String() != want {
		t.Errorf("run = %d, stderr %q, want 1, %q", status, h.stderr.String(), want)
	}
}

func TestFindSkipsRelativeDirectories(t *testing.T) {
	h := newHost(t)
	t.Chdir(h.path("bin"))
	h.env = []string{"PATH=/first", "PATH=.::" + h.path("bin")}
	h.run("--version")
	h.wantRan("@bin/runc --version")
}

func TestLog(t *testing.T) {
	for name, c := range map[string]struct{ flags, want string }{
		"JSON": {"--log @log --log-format json", `{"level":"error","msg":"cannot find OCI runtime \"none\"`},
		"text": {"--log=@log --log-format=text", `time="20`},
		// runc's own default.
		"no format": {"--log=@log", `time="20`},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			place := web()
			place.Runtime = "none"
			h.place(place)
			h.write("log", "an earlier line\n", 0o644)
			h.run(c.flags + " start " + id)
			if got := h.read("log"); !strings.HasPrefix(got, "an earlier line\n"+c.want) || !strings.HasSuffix(got, "\n") {
				t.Errorf("log = %q, want the earlier line and %q", got, c.want)
			}
		})
	}
}

func TestLogCannotBeWritten(t *testing.T) {
	h := newHost(t)
	h.config(managed + "/" + id)
	h.wantError(h.run("--log @none/log create --bundle @bundle "+id), "no such file or directory")
	if !strings.HasPrefix(h.stderr.String(), "container belongs to ") {
		t.Errorf("stderr = %q, want the first error first", h.stderr.String())
	}
}
