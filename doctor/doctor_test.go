package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu"
)

// unwell are ways to break a host, and what the check of that thing must say.
func unwell() []breakage {
	return slices.Concat(brokenDockhost(), brokenDocker(), brokenSystemd(), brokenNetwork(), brokenRest())
}

type breakage struct {
	check, name string
	broke       func(f *fake)
	state       State
	found, cure string
}

func brokenDockhost() []breakage {
	return []breakage{
		{"agent", "does not answer", func(f *fake) { f.status.Agent = api.Agent{Error: "connection refused"} }, Fail, "connection refused", "systemctl start dockhost.service"},
		{"agent", "no permission", func(f *fake) { f.status.Agent = api.Agent{Error: "dial: permission denied"} }, Skip, "only root", ""},
		{"user-data", "wrong", func(f *fake) { f.status.Source.Problems = []string{"user-data:3:1: no image (write image:)"} }, Fail, "user-data:3:1: no image", "write image:"},
		{"user-data", "absent", func(f *fake) { f.status.Source.Waiting = "the metadata service" }, Warn, "waits for user data", "doctor metadata"},
		{"containers", "fails", func(f *fake) {
			f.status.Containers[0].LastError = &api.Failure{Message: "container was killed: out of memory (exit code 137): it reached its own limit of 64MiB (raise mem_limit)"}
		}, Fail, "web: container was killed: out of memory", "raise mem_limit"},
		{"containers", "unhealthy", func(f *fake) { f.status.Containers[0].Health = "unhealthy" }, Fail, "web: its health check fails: connection refused", "systemctl restart dockhost@web.service"},
		{"containers", "health check without its program", func(f *fake) {
			f.status.Containers[0].Health, f.inspected.HealthOutput = "starting", "OCI runtime exec failed: exec: \"curl\": not found"
		}, Fail, "web: its health check cannot run: OCI runtime exec failed", "a program that the image has"},
		{"containers", "lost GPU", func(f *fake) { f.status.Containers[0].GPU = "GPU 0 is gone" }, Fail, "lost a GPU", "systemctl restart"},
		{"containers", "change refused", func(f *fake) {
			f.status.Containers[0].Pending = &api.Pending{Image: "web:2", Error: "no such device"}
		}, Fail, "the change to web:2 is not in force: no such device", "journalctl"},
		{"containers", "drop-in changed", func(f *fake) { f.status.Containers[0].SettingsProblem = "x is masked (run: systemctl unmask x)" }, Fail, "x is masked", "run: systemctl unmask x"},
		{"containers", "stopped on purpose", func(f *fake) {
			f.status.Containers[0].Stopped, f.status.Containers[0].ActiveState = &api.Stopped{}, "failed"
		}, OK, "1 of 1", ""},
	}
}

func brokenDocker() []breakage {
	return []breakage{
		{"docker", "down", func(f *fake) { f.down = engine.ErrUnreachable }, Fail, "Docker does not answer", "systemctl restart docker.service"},
		{"docker", "masked", func(f *fake) {
			f.down, f.commands["systemctl show docker.service"] = engine.ErrUnreachable, "LoadState=masked\n"
		}, Fail, "Docker does not answer", "systemctl unmask docker.service"},
		{"docker", "stopped", func(f *fake) {
			f.down, f.commands["systemctl show docker.service"] = engine.ErrUnreachable, "LoadState=loaded\nActiveState=inactive\n"
		}, Fail, "Docker does not answer", "systemctl start docker.service"},
		{"docker", "denied", func(f *fake) { f.down = engine.ErrDenied }, Skip, "this user may not use Docker", ""},
		{"docker", "Podman", func(f *fake) { f.about.Podman = true }, Fail, "Podman", "install Docker Engine"},
		{"docker", "too old", func(f *fake) { f.about.Version = "19.03.13" }, Fail, "19.03.13 is too old", "20.10"},
		{"docker-api", "too new", func(f *fake) { f.about.MinAPI = "1.60" }, Fail, "API 1.60", "DOCKER_MIN_API_VERSION"},
		{"docker-api", "too old", func(f *fake) { f.about.API = "1.40" }, Fail, "to 1.40", "20.10"},
		{"docker-runtime", "not registered", func(f *fake) { f.info.Runtimes = nil }, Fail, "not registered", "dockhost setup"},
		{"docker-runtime", "missing", func(f *fake) { f.remove(f.Runtime) }, Fail, "cannot be used", "install the package"},
		{"docker-runtime", "not executable", func(f *fake) { os.Chmod(f.Root+f.Runtime, 0o600) }, Fail, "not executable", "chmod 755 " + "/usr/libexec"},
		{"docker-runtime", "another one", func(f *fake) { f.Runtime = "/opt/libexec/dockhost-runtime" }, Warn, "this dockhost has /opt", "dockhost setup"},
		{"docker-config", "wrong", func(f *fake) { f.json = errors.New("/etc/docker/daemon.json:3:1: expected a comma") }, Fail, "daemon.json:3:1", "dockerd --validate"},
		{"docker-storage", "native", func(f *fake) { f.info.Driver, f.info.Snapshotter = "native", true }, Warn, "native", "overlayfs"},
		{"docker-storage", "vfs", func(f *fake) { f.info.Driver = "vfs" }, Warn, "vfs", "overlay2"},
		{"docker-storage", "devicemapper", func(f *fake) { f.info.Driver = "devicemapper" }, Warn, "removed", "overlay2"},
		{"docker-storage", "containerd", func(f *fake) { f.info.Snapshotter = true }, OK, "containerd's image store", ""},
		{"docker-cgroup-driver", "none", func(f *fake) { f.info.CgroupDriver = "none" }, Fail, "no cgroup driver", "root"},
		{"docker-live-restore", "off", func(f *fake) { f.info.LiveRestore = false }, Warn, "live-restore is off", "live-restore"},
		{"docker-logs", "unbounded", func(f *fake) { f.info.LogDriver = "json-file" }, Warn, "without a limit", "log-driver"},
		{"docker-logs", "bounded", func(f *fake) {
			f.info.LogDriver = "json-file"
			f.file("/etc/docker/daemon.json", `{"log-opts": {"max-size": "10m"}}`)
		}, OK, "json-file is bounded", ""},
		{"docker-nofile", "few", func(f *fake) {
			f.commands["systemctl show containerd.service"] = "LoadState=loaded\nActiveState=active\nLimitNOFILESoft=1024\n"
		}, Warn, "1024 files", "ulimits"},
		{"docker-nofile", "few, and raised", func(f *fake) {
			f.commands["systemctl show containerd.service"] = "LoadState=loaded\nActiveState=active\nLimitNOFILESoft=1024\n"
			f.file("/etc/docker/daemon.json", `{"default-ulimits": {"nofile": {"Soft": 4096}}}`)
		}, OK, "default-ulimits", ""},
		{"docker-nofile", "few, and raised by dockhost", func(f *fake) {
			f.commands["systemctl show containerd.service"] = "LoadState=loaded\nActiveState=active\nLimitNOFILESoft=1024\n"
			f.file("/etc/dockhost/dockhost.yaml", "ulimits: {nofile: 65536}\n")
		}, OK, "dockhost.yaml", ""},
	}
}

func brokenSystemd() []breakage {
	return []breakage{
		{"systemd", "too old", func(f *fake) { f.commands["systemctl --version"] = "systemd 241 (241)\n" }, Fail, "systemd 241", "247"},
		{"cgroups", "v1", func(f *fake) { f.remove("/sys/fs/cgroup"); f.file("/sys/fs/cgroup/memory/tasks", "") }, OK, "cgroup v1", ""},
		{"cgroups", "hybrid", func(f *fake) {
			f.remove("/sys/fs/cgroup")
			f.file("/sys/fs/cgroup/memory/tasks", "")
			f.file("/sys/fs/cgroup/unified/cgroup.procs", "")
		}, OK, "v1 (hybrid)", ""},
		{"cgroups", "no memory", func(f *fake) { f.file("/sys/fs/cgroup/cgroup.controllers", "cpu pids") }, Fail, "without the controller memory", "cgroup_disable"},
		{"cgroups", "v1 without memory", func(f *fake) { f.remove("/sys/fs/cgroup") }, Fail, "without the controller memory", "cgroup_disable"},
		{"delegation", "off", func(f *fake) {
			f.commands["systemctl show dockhost@web.service"] = "LoadState=loaded\nDelegate=no\nKillMode=mixed\n"
		}, Fail, "dockhost@web.service does not own", "systemctl revert dockhost@web.service"},
		{"delegation", "kill mode", func(f *fake) {
			f.commands["systemctl show dockhost@web.service"] = "LoadState=loaded\nDelegate=yes\nKillMode=control-group\n"
		}, Warn, "KillMode=control-group", "systemctl revert"},
		{"delegation", "devices", func(f *fake) {
			f.commands["systemctl show dockhost@web.service"] = "LoadState=loaded\nDelegate=yes\nKillMode=mixed\nDevicePolicy=closed\n"
		}, Warn, "limits devices", "systemctl cat"},
		{"delegation", "no template", func(f *fake) {
			f.commands["systemctl show dockhost@doctor.service"] = "LoadState=not-found\n"
		}, Fail, "does not know the unit", "daemon-reload"},
		{"ordering-cycles", "one", func(f *fake) {
			f.commands["journalctl --grep=ordering cycle"] = "multi-user.target: Found ordering cycle on a.service/start\nJob a.service/start deleted to break ordering cycle starting with b\n"
		}, Fail, "Job a.service/start deleted", "After="},
		{"masked-units", "Docker", func(f *fake) { f.commands["systemctl show docker.service"] = "LoadState=masked\n" }, Fail, "docker.service is masked", "systemctl unmask docker.service"},
		{"masked-units", "a container", func(f *fake) { f.commands["systemctl show dockhost@web.service"] = "LoadState=masked\n" }, Fail, "dockhost@web.service is masked", "systemctl unmask dockhost@web.service"},
		{"enabled-units", "dockhost is not", func(f *fake) {
			f.commands["systemctl show dockhost.service"] = "LoadState=loaded\nUnitFileState=disabled\n"
		}, Fail, "dockhost.service is disabled", "systemctl enable dockhost.service"},
		{"enabled-units", "Docker is not", func(f *fake) {
			f.commands["systemctl show docker.service"] = "LoadState=loaded\nUnitFileState=disabled\n"
			f.commands["systemctl show docker.socket"] = "LoadState=loaded\nUnitFileState=disabled\n"
		}, Warn, "neither docker.service", "systemctl enable docker.service"},
		{"changed-units", "replaced", func(f *fake) { f.file("/etc/systemd/system/docker.service", "[Service]\n") }, Warn, "/etc/systemd/system/docker.service", "systemctl revert docker.service"},
		{"changed-units", "extended", func(f *fake) {
			f.file("/etc/systemd/system/dockhost@web.service.d/override.conf", "[Service]\n")
			f.file("/run/systemd/system/dockhost@web.service.d/50-dockhost.conf", "[Service]\n")
		}, OK, "settings are added by /etc/systemd/system/dockhost@web.service.d/override.conf", ""},
	}
}

func brokenNetwork() []breakage {
	return []breakage{
		{"clock", "not synchronized", func(f *fake) { f.commands["timedatectl show"] = "no\n" }, Warn, "nothing synchronizes the clock", "timedatectl set-ntp true"},
		{"clock", "in the past", func(f *fake) { f.Now = time.Unix(0, 0) }, Fail, "1970-01-01", "timedatectl"},
		{"metadata", "does not answer", func(f *fake) { f.metadata = errors.New("metadata service of EC2 at 169.254.169.254: no answer") }, Fail, "no answer", "turned on"},
		{"metadata", "locked", func(f *fake) {
			f.metadata = errors.New("no answer")
			f.file("/proc/net/route", "Iface Destination Gateway Flags\n* FEA9FEA9 00000000 0205 0 0 0 FFFFFFFF\n")
		}, Fail, "systemd-imdsd has locked", "systemd.imds=no"},
		{"metadata", "none", func(f *fake) { f.metadata = noService }, Skip, "does not come from a metadata service", ""},
		{"metadata-container", "hop limit", func(f *fake) { f.inside = errors.New("no answer") }, Warn, "containers in a network of Docker cannot reach", "hop limit"},
		{"metadata-container", "no container", func(f *fake) { f.inspected.NetworkMode = "host" }, Skip, "network of its own", ""},
		{"link-local", "exceeded", func(f *fake) { f.commands["ethtool -S ens5"] = "     linklocal_allowance_exceeded: 17\n" }, Warn, "17 packets of ens5", "caching resolver"},
		{"link-local", "another cloud", func(f *fake) { f.file("/sys/class/net/ens5/device/vendor", "0x1af4\n") }, Skip, "no network interface of EC2", ""},
		{"registries", "login", func(f *fake) { f.registry = &transport.Error{StatusCode: 401} }, Fail, "registry.test refuses the login", "docker login registry.test"},
		{"registries", "missing", func(f *fake) { f.registry = &transport.Error{StatusCode: 404} }, Fail, "registry.test has no registry.test/web:1", "name and tag"},
		{"registries", "another error", func(f *fake) { f.registry = errors.New("it burns") }, Fail, "it burns", "registry is up"},
		{"mirrors", "down", func(f *fake) { f.mirror = errors.New("connection refused") }, Warn, "https://user:xxxxx@mirror.test", "registry-mirrors"},
	}
}

func brokenRest() []breakage {
	return []breakage{
		{"disk-space", "full", func(f *fake) { f.space.Free = 100 << 20 }, Fail, "/var/lib/docker has 104.9MB left", "dockhostctl gc"},
		{"disk-space", "nearly full", func(f *fake) { f.space.Free = 6 << 30 }, Warn, "left of", "dockhostctl gc --dry-run"},
		{"disk-inodes", "none", func(f *fake) { f.space.FreeInodes = 1 }, Fail, "1 inodes left", "dockhostctl gc"},
		{"disk-inodes", "few", func(f *fake) { f.space.FreeInodes = 70 }, Warn, "70 inodes left", "dockhostctl gc"},
		{"disk-inodes", "btrfs", func(f *fake) { f.space.Inodes = 0 }, Skip, "as they need them", ""},
		{"cloud-init", "failed", func(f *fake) {
			f.file("/run/cloud-init/status.json", `{"v1": {"modules-final": {"errors": ["('scripts-user', RuntimeError())"]}}}`)
		}, Fail, "scripts-user", "cloud-init status --long"},
		{"cloud-init", "exit status 2", func(f *fake) {
			f.file("/run/cloud-init/status.json", `{"v1": {"init": {"recoverable_errors": {"WARNING": ["Invalid cloud-config"]}}}}`)
		}, Warn, "(exit status 2): Invalid cloud-config", "cloud-init schema"},
		{"cloud-init", "at work", func(f *fake) {
			f.remove("/run/cloud-init/result.json")
			f.file("/run/cloud-init/status.json", `{"v1": {"stage": "modules-final"}}`)
		}, OK, "stage modules-final", ""},
		{"cloud-init", "absent", func(f *fake) { f.remove("/run/cloud-init") }, Skip, "has not run", ""},
		{"gpu", "driver", func(f *fake) { f.report.Problems = []string{"the driver is not loaded (run: modprobe nvidia)"} }, Fail, "the driver is not loaded", "run: modprobe nvidia"},
		{"gpu", "stale CDI", func(f *fake) { f.report.CDI.Stale = []gpu.Stale{{Path: "/etc/cdi/nvidia.yaml", Why: "old"}} }, Warn, "/etc/cdi/nvidia.yaml", "nvidia-ctk"},
		{"gpu", "persistence", func(f *fake) { f.report.Notes = []string{"persistence mode is off (systemctl enable x)"} }, Warn, "persistence mode is off", "systemctl enable x"},
		{"gpu", "none", func(f *fake) { f.report = gpu.Report{} }, Skip, "no NVIDIA GPU", ""},
		{"denials", "AppArmor", func(f *fake) {
			f.commands[`journalctl --grep=apparmor="DENIED"|avc:`] = `audit: apparmor="DENIED" operation="mount"` + "\n"
		}, Warn, "mount", "security_opt"},
		{"denials", "not root", func(f *fake) { f.User = 1000 }, Skip, "only root", ""},
		{"unattended-upgrades", "without live-restore", func(f *fake) { f.info.LiveRestore = false }, Warn, "stops all containers", "live-restore"},
		{"unattended-upgrades", "Docker is left alone", func(f *fake) {
			f.info.LiveRestore = false
			f.file("/etc/apt/apt.conf.d/50unattended-upgrades", "Unattended-Upgrade::Package-Blacklist {\n\t\"docker\";\n};\n")
		}, OK, "leaves Docker alone", ""},
		{"persistent-journal", "volatile", func(f *fake) { f.file("/etc/systemd/journald.conf.d/x.conf", "[Journal]\nStorage=volatile\n") }, Warn, "Storage=volatile", "Storage=persistent"},
		{"persistent-journal", "no directory", func(f *fake) { f.remove("/var/log/journal") }, Warn, "in memory only", "mkdir -p /var/log/journal"},
		{"signatures", "not built", func(*fake) {}, Skip, "signatures", ""},
	}
}

// TestChecksFindFaults breaks one thing after the other: its check names it, and says
// what to do.
func TestChecksFindFaults(t *testing.T) {
	for _, test := range unwell() {
		t.Run(test.check+"/"+test.name, func(t *testing.T) {
			f := newFake(t)
			test.broke(f)
			report := f.examine(test.check)
			for _, finding := range report.Findings {
				if finding.State == test.state && strings.Contains(finding.Found, test.found) && strings.Contains(finding.Cure, test.cure) && (finding.Cure != "") == (test.cure != "") {
					return
				}
			}
			t.Errorf("doctor %s = %+v, want %s, %q, cure %q", test.check, report.Findings, test.state, test.found, test.cure)
		})
	}
}

// examine makes some checks of the fake.
func (f *fake) examine(names ...string) Report {
	f.Helper()
	checks, err := Select(names)
	if err != nil {
		f.Fatal(err)
	}
	return Run(f.Context(), f.Host, checks)
}

// TestEachCheckIsBroken checks that each check has a row in the table above.
func TestEachCheckIsBroken(t *testing.T) {
	for _, check := range Checks() {
		if !slices.ContainsFunc(unwell(), func(b breakage) bool { return b.check == check.ID }) {
			t.Errorf("no test breaks what %s checks", check.ID)
		}
	}
}

// TestWellHostHasNoProblem makes all checks of a host on which nothing is wrong.
func TestWellHostHasNoProblem(t *testing.T) {
	report := newFake(t).examine()
	if !report.Well || report.Version != ReportVersion {
		t.Errorf("report = %+v, want it well", report)
	}
	for _, finding := range report.Findings {
		if finding.State != OK && finding.Check != "signatures" {
			t.Errorf("%+v, want ok", finding)
		}
		if strings.Contains(fmt.Sprint(finding), "hunter2canary") {
			t.Errorf("%+v shows a password", finding)
		}
	}
}

// TestHangingHostIsBounded makes all checks while Docker, the registries, DNS and
// systemd hang.
func TestHangingHostIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.hanging = "systemctl"
		f.Engine = hangingEngine{}
		f.Metadata = func(ctx context.Context, _ string, _ int) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		f.Digest = func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		start := time.Now()
		report := f.examine()
		if took := time.Since(start); took > networkPatience {
			t.Errorf("doctor took %s, want at most %s", took, networkPatience)
		}
		for _, check := range []string{"docker", "systemd", "metadata"} {
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Check == check && f.State == Fail && f.Cure != "" }) {
				t.Errorf("%s does not fail: %+v", check, report.Findings)
			}
		}
	})
}

type hangingEngine struct{}

func (hangingEngine) About(ctx context.Context) (engine.About, error) {
	<-ctx.Done()
	return engine.About{}, ctx.Err()
}

func (hangingEngine) Info(ctx context.Context) (engine.Info, error) {
	<-ctx.Done()
	return engine.Info{}, ctx.Err()
}

func (hangingEngine) Inspect(ctx context.Context, _ string) (engine.Container, error) {
	<-ctx.Done()
	return engine.Container{}, ctx.Err()
}

func TestSelect(t *testing.T) {
	if checks, err := Select([]string{"disk", "docker-logs"}); err != nil || len(checks) != 3 {
		t.Errorf("Select() = %d checks, %v, want 3", len(checks), err)
	}
	if _, err := Select([]string{"disk", "teeth"}); err == nil || !strings.Contains(err.Error(), "teeth") {
		t.Errorf("Select() = %v, want teeth to be unknown", err)
	}
	seen := map[string]bool{}
	for _, check := range Checks() {
		if seen[check.ID] || check.Title == "" || check.Area == "" {
			t.Errorf("check %+v: ID twice, or no title or area", check.ID)
		}
		seen[check.ID] = true
	}
}

func TestSplit(t *testing.T) {
	tests := []struct{ problem, found, cure string }{
		{"a (do b)", "a", "do b"},
		{"a (b) (do c (d))", "a (b)", "do c (d)"},
		{"a (b), c", "a (b), c", "other"},
		{"a)", "a)", "other"},
		{"", "", "other"},
	}
	for _, test := range tests {
		if found, cure := split(test.problem, "other"); found != test.found || cure != test.cure {
			t.Errorf("split(%q) = %q, %q, want %q, %q", test.problem, found, cure, test.found, test.cure)
		}
	}
}
