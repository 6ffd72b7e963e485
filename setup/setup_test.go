package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestApplyAndRemove(t *testing.T) {
	const before = "{\n  \"debug\": true\n}\n"
	const after = "{\n  \"debug\": true,\n  \"runtimes\": {\n    \"dockhost\": {\n      \"path\": \"" + runtimePath + "\"\n    }\n  }\n}\n"
	h := newHost(t, []byte(before))
	h.wantMissing("does not register", "is not registered with Docker")

	for range 2 {
		if err := h.setup.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantTree(map[string]string{"daemon.json": after, "daemon.json.dockhost-backup": before})
		h.wantMissing()
	}
	if h.docker.reloads != 1 {
		t.Errorf("Docker was reloaded %d times, want once", h.docker.reloads)
	}

	for range 2 {
		if err := h.setup.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantTree(map[string]string{"daemon.json": before, "daemon.json.dockhost-backup": before})
	}
}

func TestRemoveMakesDockerForgetRuntime(t *testing.T) {
	const both = `{"runtimes": {"dockhost": {"path": "` + runtimePath + `"}, "crun": {"path": "crun"}}}`
	h := newHost(t, []byte(both))
	for range 2 {
		if err := h.setup.Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.wantTree(map[string]string{"daemon.json": `{"runtimes": {"crun": {"path": "crun"}}}`})
	have, err := h.docker.Runtimes(t.Context())
	if want := map[string]string{"crun": "crun"}; err != nil || !cmp.Equal(have, want) || h.docker.reloads != 1 {
		t.Errorf("Docker has %v, %v, after %d reloads, want %v after one", have, err, h.docker.reloads, want)
	}
}

func TestApplyAndRemoveWithoutFile(t *testing.T) {
	h := newHost(t, nil)
	if err := os.Remove(h.path("/etc/docker")); err != nil {
		t.Fatal(err)
	}
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantTree(map[string]string{"daemon.json": whole})
	h.setup.RuntimePath = "/usr/libexec/moved"
	h.write(h.setup.RuntimePath, "", 0o755)
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantTree(map[string]string{"daemon.json": strings.Replace(whole, runtimePath, "/usr/libexec/moved", 1)})
	if err := h.setup.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantTree(map[string]string{})
}

func TestFirstBackupStays(t *testing.T) {
	h := newHost(t, []byte(`{"mtu": 1400}`))
	h.write(configPath+".dockhost-backup", `{"mtu": 1300}`, 0o600)
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.tree()["daemon.json.dockhost-backup"]; got != `{"mtu": 1300}` {
		t.Errorf("backup = %q, want the original", got)
	}
}

func TestApplyWaitsForAsynchronousReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil)
		h.docker.reloading = 3 * time.Second
		start := time.Now()
		if err := h.setup.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("Apply took %v, want it to wait 3s for Docker", took)
		}
	})
}

func TestApplyFailsIfDockerDoesNotLoadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil)
		h.docker.reloading = time.Hour
		start := time.Now()
		err := h.setup.Apply(t.Context())
		if err == nil || !strings.Contains(err.Error(), `Docker has no runtime "dockhost"`) || !strings.Contains(err.Error(), "--add-runtime") {
			t.Errorf("Apply() = %v, want Docker's path and where to look", err)
		}
		if took := time.Since(start); took != proofTimeout {
			t.Errorf("Apply took %v, want %v", took, proofTimeout)
		}
	})
}

func TestApplyFailsIfDockerExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil)
		h.docker.diesOfReload = true
		if err := h.setup.Apply(t.Context()); !errors.Is(err, errDown) {
			t.Errorf("Apply() = %v, want %v", err, errDown)
		}
	})
}

func TestApplyFailsIfReloadFails(t *testing.T) {
	h := newHost(t, nil)
	h.docker.reloadErr = errors.New("job failed")
	if err := h.setup.Apply(t.Context()); !errors.Is(err, h.docker.reloadErr) {
		t.Errorf("Apply() = %v, want %v", err, h.docker.reloadErr)
	}
}

func TestApplyEndsWithContext(t *testing.T) {
	h := newHost(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.setup.Apply(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply() = %v, want %v", err, context.Canceled)
	}
}

func TestApplyWithoutDocker(t *testing.T) {
	h := newHost(t, nil)
	h.docker.running = false
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantTree(map[string]string{"daemon.json": whole})
	h.wantMissing("cannot list Docker's runtimes: no such socket")
}

// notDocker is the error of a program that answers at Docker's socket.
type notDocker struct{}

func (notDocker) Error() string   { return "Podman answers" }
func (notDocker) NotDocker() bool { return true }

// A start of docker.service is no cure for Podman at Docker's socket.
func TestPodmanIsReported(t *testing.T) {
	h := newHost(t, []byte(whole))
	h.docker.refusal = notDocker{}
	missing, err := h.setup.Check(t.Context())
	if want := []string{"Podman answers"}; err != nil || !cmp.Equal(missing, want) {
		t.Errorf("Check() = %q, %v, want %q", missing, err, want)
	}
	if err := h.setup.Apply(t.Context()); !errors.Is(err, notDocker{}) {
		t.Errorf("Apply() = %v, want that Podman answers", err)
	}
}

func TestApplyInImageBuild(t *testing.T) {
	h := newHost(t, nil)
	if err := os.RemoveAll(h.path("/run")); err != nil {
		t.Fatal(err)
	}
	h.setup = New(h.setup.Options, nil, nil)
	h.wantMissing("does not register")
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.wantTree(map[string]string{"daemon.json": whole})
	h.wantMissing()
}

func TestApplyFailsWithoutRuntime(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(h *host)
		want   string
	}{
		"missing":        {func(h *host) { _ = os.Remove(h.path(runtimePath)) }, runtimePath + " is missing"},
		"not executable": {func(h *host) { h.write(runtimePath, "", 0o644) }, runtimePath + " is not executable"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, []byte(whole))
			c.damage(h)
			h.wantMissing(c.want)
			if err := h.setup.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Apply() = %v, want %q", err, c.want)
			}
		})
	}
}

func TestBrokenConfigIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":   {"{\n  \"debug\": yes\n}\n", ":2:12: invalid character 'y' looking for beginning of value"},
		"wrong type": {`{"runtimes": []}`, ":1:14: runtimes is not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, []byte(c.text))
			want := h.path(configPath) + c.want
			if err := h.setup.Apply(t.Context()); err == nil || err.Error() != want {
				t.Errorf("Apply() = %v, want %q", err, want)
			}
			if err := h.setup.Remove(t.Context()); err == nil || err.Error() != want {
				t.Errorf("Remove() = %v, want %q", err, want)
			}
			if _, err := h.setup.Check(t.Context()); err == nil || err.Error() != want {
				t.Errorf("Check() = %v, want %q", err, want)
			}
			h.wantTree(map[string]string{"daemon.json": c.text})
		})
	}
}

func TestApplyFailsIfDockerdRejectsFile(t *testing.T) {
	h := newHost(t, []byte(`{"debg": true}`))
	refusal := errors.New("unknown directive")
	h.setup.validate = func(_ context.Context, file string) error {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), runtimePath) {
			t.Errorf("validate got %s with %q, %v, want the new text", file, text, err)
		}
		return refusal
	}
	if err := h.setup.Apply(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("Apply() = %v, want %v", err, refusal)
	}
	h.wantTree(map[string]string{"daemon.json": `{"debg": true}`})
}

func TestApplyKeepsModeOwnerAndLink(t *testing.T) {
	h := newHost(t, nil)
	h.write("/etc/real.json", `{"debug": true}`, 0o640)
	if os.Geteuid() == 0 {
		if err := os.Chown(h.path("/etc/real.json"), 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	owner := func() (uint32, uint32) {
		info, err := os.Stat(h.path("/etc/real.json"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o640 {
			t.Errorf("mode = %v, want 0640", info.Mode())
		}
		stat := info.Sys().(*syscall.Stat_t)
		return stat.Uid, stat.Gid
	}
	uid, gid := owner()
	if err := os.Symlink("../real.json", h.path(configPath)); err != nil {
		t.Fatal(err)
	}
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if newUID, newGID := owner(); newUID != uid || newGID != gid {
		t.Errorf("owner = %d:%d, want %d:%d", newUID, newGID, uid, gid)
	}
	if target, err := os.Readlink(h.path(configPath)); err != nil || target != "../real.json" {
		t.Errorf("Readlink(daemon.json) = %q, %v, want the same link", target, err)
	}
}

func TestApplyFailsOnDanglingLink(t *testing.T) {
	h := newHost(t, nil)
	if err := os.Symlink("none.json", h.path(configPath)); err != nil {
		t.Fatal(err)
	}
	if err := h.setup.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("Apply() = %v, want an error about the link", err)
	}
}

func TestNewFileIsWorldReadable(t *testing.T) {
	h := newHost(t, nil)
	if err := h.setup.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(h.path(configPath))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("Stat(daemon.json) = %v, %v, want mode 0644", info.Mode(), err)
	}
}

func TestValidateWithDockerd(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"accepted": {`[ "$1 $2 $3" = "--validate --config-file FILE" ] && echo configuration OK`, ""},
		"refused":  {`echo "unable to configure the Docker daemon with file $3: bad"; exit 1`, "dockerd does not accept it: unable to configure the Docker daemon with file daemon.json: bad"},
		// The output of Docker 20.10 of Debian 12.
		"too old":    {`printf "Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125\n" >&2; exit 1`, ""},
		"no dockerd": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			t.Setenv("PATH", bin)
			if c.script != "" {
				if err := os.WriteFile(filepath.Join(bin, "dockerd"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			err := validateWithDockerd(t.Context(), "FILE")
			if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
				t.Errorf("validateWithDockerd() = %v, want %q", err, c.want)
			}
		})
	}
}

// Two setups at the same time: the second waits for the first.
func TestSetupWaitsForAnother(t *testing.T) {
	h := newHost(t, nil)
	s := h.setup
	unlock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockPause)
	defer cancel()
	if err := s.Apply(ctx); err == nil || !strings.Contains(err.Error(), "another dockhost setup") {
		t.Errorf("Apply() beside another = %v, want that it waits", err)
	}
	h.wantTree(map[string]string{})
	unlock()
	if err := s.Apply(t.Context()); err != nil {
		t.Errorf("Apply() after the other one = %v", err)
	}
}
