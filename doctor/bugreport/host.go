package bugreport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/regular"
)

// journalLines bounds the journal of a unit in one boot.
const journalLines = "2000"

// commands are the outputs of programs.
func (g gatherer) commands() []source {
	run := func(name string, args ...string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return g.Host.Command(ctx, name, args...) }
	}
	// The output of containers is theirs: only what dockhost and systemd say of them.
	journal := func(boot string, matches ...string) func(context.Context) (string, error) {
		return run("journalctl", append([]string{"--quiet", "--no-pager", "--output=short-iso", "--boot=" + boot, "--lines=" + journalLines}, matches...)...)
	}
	dockhost := []string{"--identifier=dockhost", "--identifier=dockhost-supervise", "--identifier=dockhost-runtime"}
	units := []string{"--identifier=systemd", "--grep=dockhost|docker|containerd|ordering cycle"}
	docker := []string{"_SYSTEMD_UNIT=docker.service", "+", "_SYSTEMD_UNIT=containerd.service"}
	return []source{
		{"versions.txt", g.versions},
		{"units/show.txt", run("systemctl", "show", "--no-pager", "--property="+strings.Join(unitProperties(), ","),
			"docker.service", "containerd.service", "dockhost.service", "dockhost.socket", "dockhost@*.service")},
		{"units/list.txt", run("systemctl", "list-units", "--no-pager", "--all", "--plain", "docker*", "containerd*", "dockhost*")},
		{"journal/dockhost.txt", journal("0", dockhost...)},
		{"journal/dockhost-last-boot.txt", journal("-1", dockhost...)},
		{"journal/systemd.txt", journal("0", units...)},
		{"journal/docker.txt", journal("0", docker...)},
		{"journal/docker-last-boot.txt", journal("-1", docker...)},
		{"disk/space.txt", run("df", "-h", "-x", "tmpfs", "-x", "overlay")},
		{"disk/inodes.txt", run("df", "-i", "-x", "tmpfs", "-x", "overlay")},
	}
}

// unitProperties are the properties of units in a report. ExecStart= and Environment=
// are not among them: they may have secrets.
func unitProperties() []string {
	return []string{
		"Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "FragmentPath", "DropInPaths", "NRestarts", "ExecMainStatus",
		"ExecMainCode", "ActiveEnterTimestamp", "InactiveEnterTimestamp", "StatusText", "Delegate", "ControlGroup", "MemoryCurrent", "MemoryPeak",
		"MemoryMax", "CPUUsageNSec", "TasksCurrent", "TasksMax", "LimitNOFILE", "Type", "KillMode", "Restart", "OOMPolicy", "TimeoutStartUSec", "TimeoutStopUSec",
	}
}

// versions are those of dockhost, the kernel, the distribution, systemd and cloud-init.
func (g gatherer) versions(ctx context.Context) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "dockhost %s\n", g.Version)
	var errs []error
	for _, command := range [][]string{{"uname", "-srvm"}, {"systemctl", "--version"}, {"cloud-init", "--version"}} {
		out, err := g.Host.Command(ctx, command[0], command[1:]...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.WriteString(strings.TrimSpace(out) + "\n")
	}
	release, err := g.read("/etc/os-release")
	b.WriteString(release)
	return b.String(), errors.Join(append(errs, err)...)
}

// configuration are files of the host: units with their drop-ins, and the settings of
// Docker and dockhost.
func (g gatherer) configuration() []source {
	var paths []string
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"} {
		for _, name := range []string{"docker", "containerd", "dockhost", "dockhost@*"} {
			for _, kind := range []string{".service", ".socket", ".service.d/*.conf", ".socket.d/*.conf"} {
				paths = append(paths, g.glob(dir+"/"+name+kind)...)
			}
		}
	}
	paths = append(paths, g.glob("/etc/docker/daemon.json")...)
	paths = append(paths, g.glob("/etc/dockhost/*.yaml")...)
	slices.Sort(paths)
	var sources []source
	for _, path := range slices.Compact(paths) {
		sources = append(sources, source{"files" + path, func(context.Context) (string, error) { return g.read(path) }})
	}
	return sources
}

func (g gatherer) glob(pattern string) []string {
	paths, _ := filepath.Glob(filepath.Join(cmp.Or(g.Host.Root, "/"), pattern))
	for i, path := range paths {
		paths[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, g.Host.Root), "/")
	}
	return paths
}

func (g gatherer) read(path string) (string, error) {
	file, err := regular.Open(filepath.Join(g.Host.Root, path))
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	return string(text), err
}
