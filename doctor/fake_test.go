package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu"
)

// fake is a host on which nothing is wrong, for a test to break.
type fake struct {
	*testing.T
	Host

	about     engine.About
	info      engine.Info
	inspected engine.Container
	// down is the error of Docker, if it does not answer.
	down     error
	status   api.Status
	report   gpu.Report
	space    Space
	registry error
	mirror   error
	// metadata has the errors of the metadata service for the host and for containers.
	metadata, inside error
	json             error
	// commands maps the beginning of a command line to its output.
	commands map[string]string
	// hanging is a command that never ends.
	hanging string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		T:     t,
		about: engine.About{Version: "26.1.5+dfsg1", API: "1.45", MinAPI: "1.24", ClientMaxAPI: "1.51"},
		info: engine.Info{
			Version: "26.1.5", Root: "/var/lib/docker", Driver: "overlay2", CgroupDriver: "systemd", LogDriver: "local", LiveRestore: true,
			Runtimes: map[string]string{"dockhost": "/usr/libexec/dockhost/dockhost-runtime"},
		},
		inspected: engine.Container{ID: "c1", Pid: 4711, NetworkMode: "bridge", HealthOutput: "connection refused\n"},
		status: api.Status{
			Agent: api.Agent{Reachable: true, Version: "1.2.3"}, Source: api.Source{Datasource: "Ec2"},
			Containers: []api.Container{{Name: "web", ID: "c1", Image: "registry.test/web:1", Unit: "dockhost@web.service", Ready: true, ActiveState: "active"}},
		},
		report: gpu.Report{GPUs: []gpu.CardReport{{Model: "NVIDIA L4"}}, Driver: gpu.Driver{Loaded: true, Version: "575"}},
		space:  Space{Total: 100 << 30, Free: 50 << 30, Inodes: 1000, FreeInodes: 500, Device: 1},
		commands: map[string]string{
			"systemctl --version":                      "systemd 257 (257.7-1)\n+PAM\n",
			"systemctl show containerd.service":        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nLimitNOFILESoft=1048576\n",
			"systemctl show docker.service":            "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
			"systemctl show docker.socket":             "LoadState=loaded\nUnitFileState=enabled\n",
			"systemctl show dockhost.service":          "LoadState=loaded\nUnitFileState=enabled\n",
			"systemctl show dockhost.socket":           "LoadState=loaded\nUnitFileState=enabled\n",
			"systemctl show dockhost@doctor.service":   "LoadState=loaded\nDelegate=yes\nKillMode=mixed\nDevicePolicy=auto\nDeviceAllow=\n",
			"systemctl show dockhost@web.service":      "LoadState=loaded\nDelegate=yes\nKillMode=mixed\nDevicePolicy=auto\nDeviceAllow=\n",
			"timedatectl show":                         "yes\n",
			"journalctl --grep=ordering cycle":         "",
			`journalctl --grep=apparmor="DENIED"|avc:`: "",
			"ethtool -S ens5":                          "NIC statistics:\n     linklocal_allowance_exceeded: 0\n",
		},
	}
	f.Host = Host{
		Root: t.TempDir(), Engine: f, Runtime: "/usr/libexec/dockhost/dockhost-runtime", Command: f.command,
		Status:   func(context.Context) (api.Status, error) { return f.status, nil },
		Space:    func(string) (Space, error) { return f.space, nil },
		Digest:   func(context.Context, string) (string, error) { return "sha256:1", f.registry },
		Get:      func(context.Context, string) error { return f.mirror },
		GPUs:     func() (gpu.Report, error) { return f.report, nil },
		Metadata: f.ask, DaemonJSON: func(context.Context) error { return f.json }, Now: time.Now(),
	}
	f.file("/usr/libexec/dockhost/dockhost-runtime", "#!")
	f.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
	f.file("/sys/class/net/ens5/device/vendor", "0x1d0f\n")
	f.file("/run/cloud-init/status.json", `{"v1": {"stage": null, "init": {"errors": [], "recoverable_errors": {}}}}`)
	f.file("/run/cloud-init/result.json", "{}")
	f.file("/var/log/journal/x/system.journal", "")
	f.file("/etc/apt/apt.conf.d/20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n")
	f.file("/usr/bin/unattended-upgrade", "#!")
	f.file("/etc/docker/daemon.json", "{}")
	f.info.Mirrors = []string{"https://user:hunter2canary@mirror.test"}
	return f
}

// file writes an executable file of the host.
func (f *fake) file(path, text string) {
	f.Helper()
	path = filepath.Join(f.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		f.Fatal(err)
	}
}

func (f *fake) remove(path string) {
	f.Helper()
	if err := os.RemoveAll(filepath.Join(f.Root, path)); err != nil {
		f.Fatal(err)
	}
}

func (f *fake) About(context.Context) (engine.About, error) { return f.about, f.down }
func (f *fake) Info(context.Context) (engine.Info, error)   { return f.info, f.down }
func (f *fake) Inspect(context.Context, string) (engine.Container, error) {
	return f.inspected, f.down
}

func (f *fake) ask(_ context.Context, _ string, pid int) (string, error) {
	if pid != 0 {
		return "169.254.169.254", f.inside
	}
	return "169.254.169.254", f.metadata
}

// command answers by program, first word and unit or pattern.
func (f *fake) command(ctx context.Context, name string, args ...string) (string, error) {
	line := name + " " + strings.Join(args, " ")
	if f.hanging != "" && strings.HasPrefix(line, f.hanging) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	for known, out := range f.commands {
		matches := true
		for word := range strings.SplitSeq(known, " ") {
			matches = matches && strings.Contains(line, word)
		}
		if matches {
			return out, nil
		}
	}
	return "", fmt.Errorf("no answer to %s: %w", line, fs.ErrNotExist)
}

// noService is the error where no metadata service is.
var noService = datasource.ErrNotFound
