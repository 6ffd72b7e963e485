package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/versions"

	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

const (
	// minDocker and minAPI are those of Docker 20.10, the oldest that dockhost works with.
	minDocker = "20.10"
	minAPI    = "1.41"
)

func dockerChecks() []Check {
	const area = "docker"
	return []Check{
		{ID: "docker", Area: area, Title: "Docker answers", examine: checkDocker},
		{ID: "docker-api", Area: area, Title: "Docker and dockhost speak the same API", examine: checkAPI},
		{ID: "docker-runtime", Area: area, Title: "dockhost's runtime is registered", examine: checkRuntime},
		{ID: "docker-config", Area: area, Title: "Docker's daemon.json is valid", examine: checkDaemonJSON},
		{ID: "docker-storage", Area: area, Title: "Docker's storage driver is a good one", examine: checkStorage},
		{ID: "docker-cgroup-driver", Area: area, Title: "Docker has a cgroup driver", examine: checkCgroupDriver},
		{ID: "docker-live-restore", Area: area, Title: "containers survive a restart of Docker", examine: checkLiveRestore},
		{ID: "docker-logs", Area: area, Title: "Docker's copies of the output are bounded", examine: checkLogs},
		{ID: "docker-nofile", Area: area, Title: "containers may open enough files", examine: checkNofile},
	}
}

func checkDocker(ctx context.Context, h *host) []Finding {
	about, err := h.about()
	switch {
	case errors.Is(err, engine.ErrDenied):
		return skip("this user may not use Docker (run: sudo dockhostctl doctor)")
	case err != nil:
		return fail("Docker does not answer: "+err.Error(), h.dockerCure(ctx))
	case about.Podman:
		return fail(fmt.Sprintf("Podman %s answers at Docker's socket, and dockhost works with Docker Engine only", about.Version),
			"remove the package podman-docker, or stop podman.socket; install Docker Engine")
	case tooOld(about.Version, minDocker):
		return fail(fmt.Sprintf("Docker %s is too old", about.Version), "install Docker Engine "+minDocker+" or later")
	}
	return ok("Docker " + about.Version + " answers")
}

// dockerCure says what to do about a Docker that does not answer.
func (h *host) dockerCure(ctx context.Context) string {
	properties, err := h.properties(ctx, "docker.service", "LoadState", "ActiveState")
	switch {
	case err != nil:
	case properties["LoadState"] == "not-found":
		return "install Docker Engine"
	case properties["LoadState"] == "masked":
		return "systemctl unmask docker.service && systemctl start docker.service"
	case properties["ActiveState"] == "active":
		return "systemctl restart docker.service; it runs and hangs: journalctl -b -u docker.service -n 50"
	}
	return "systemctl start docker.service; if that fails: journalctl -b -u docker.service -n 50"
}

// tooOld compares versions such as "26.1.5+dfsg1"; one that cannot be read is not too
// old.
func tooOld(version, oldest string) bool {
	version, _, _ = strings.Cut(version, "+")
	version, _, _ = strings.Cut(version, "-")
	if _, err := strconv.Atoi(strings.ReplaceAll(version, ".", "")); err != nil {
		return false
	}
	return versions.LessThan(version, oldest)
}

func checkAPI(_ context.Context, h *host) []Finding {
	about, err := h.about()
	if err != nil {
		return needsDocker(err)
	}
	what := fmt.Sprintf("Docker speaks API %s to %s, dockhost %s to %s", about.MinAPI, about.API, minAPI, about.ClientMaxAPI)
	switch {
	case versions.LessThan(about.API, minAPI):
		return fail(what, "install Docker Engine "+minDocker+" or later")
	case versions.GreaterThan(about.MinAPI, about.ClientMaxAPI):
		return fail(what, "upgrade dockhost, or set DOCKER_MIN_API_VERSION="+about.ClientMaxAPI+" for docker.service (systemctl edit docker.service) and restart it")
	}
	return ok(what)
}

func checkRuntime(_ context.Context, h *host) []Finding {
	info, err := h.info()
	if err != nil {
		return needsDocker(err)
	}
	path, registered := info.Runtimes[spec.RuntimeName]
	if !registered {
		return fail(fmt.Sprintf("runtime %q is not registered with Docker, so no container can start", spec.RuntimeName), "dockhost setup")
	}
	file, err := os.Stat(filepath.Join(h.Root, path))
	switch {
	case err != nil:
		return fail(fmt.Sprintf("runtime %q is registered as %s, which cannot be used: %v", spec.RuntimeName, path, errors.Unwrap(err)), "install the package dockhost again, then: dockhost setup")
	case file.IsDir() || file.Mode().Perm()&0o111 == 0:
		return fail(fmt.Sprintf("runtime %q is registered as %s, which is not executable", spec.RuntimeName, path), "chmod 755 "+path)
	case h.Runtime != "" && path != h.Runtime:
		return warn(fmt.Sprintf("runtime %q is registered as %s, and this dockhost has %s", spec.RuntimeName, path, h.Runtime), "dockhost setup")
	}
	return ok(fmt.Sprintf("runtime %q is registered as %s", spec.RuntimeName, path))
}

func checkDaemonJSON(ctx context.Context, h *host) []Finding {
	const file = "/etc/docker/daemon.json"
	switch err := h.DaemonJSON(ctx); {
	case errors.Is(err, os.ErrPermission):
		return needsRoot()
	case err != nil:
		return fail(err.Error(), "correct "+file+", check it by: dockerd --validate --config-file "+file)
	case !h.exists(file):
		return ok("there is no daemon.json")
	}
	return ok("daemon.json is valid")
}

func checkStorage(_ context.Context, h *host) []Finding {
	info, err := h.info()
	if err != nil {
		return needsDocker(err)
	}
	store := "Docker's own image store"
	if info.Snapshotter {
		store = "containerd's image store"
	}
	what := fmt.Sprintf("storage driver %s, %s", info.Driver, store)
	switch info.Driver {
	case "vfs", "native": // the same in either store
		return warn(what+": each layer is a whole copy of the one below", "use overlay2, or overlayfs in containerd's store: remove storage-driver from /etc/docker/daemon.json (images are pulled again)")
	case "devicemapper", "aufs", "overlay":
		return warn(what+": Docker has removed this driver from later versions", "use overlay2: remove storage-driver from /etc/docker/daemon.json (images are pulled again)")
	}
	return ok(what)
}

func checkCgroupDriver(_ context.Context, h *host) []Finding {
	info, err := h.info()
	if err != nil {
		return needsDocker(err)
	}
	switch info.CgroupDriver {
	case "none":
		return fail("Docker has no cgroup driver (rootless Docker?), so no limit has an effect", "use Docker Engine as root")
	case "":
		return skip("Docker does not say its cgroup driver")
	}
	return ok("cgroup driver " + info.CgroupDriver)
}

func checkLiveRestore(_ context.Context, h *host) []Finding {
	info, err := h.info()
	switch {
	case err != nil:
		return needsDocker(err)
	case info.LiveRestore:
		return ok("live-restore is on")
	}
	return warn("live-restore is off: a restart or upgrade of Docker stops all containers", liveRestoreCure)
}

const liveRestoreCure = `write "live-restore": true into /etc/docker/daemon.json, then: systemctl reload docker.service`

// unbounded are log drivers that write files without a limit unless max-size is set.
// The driver local has a limit of its own.
func unbounded(driver string) bool { return slices.Contains([]string{"json-file"}, driver) }

func checkLogs(_ context.Context, h *host) []Finding {
	info, err := h.info()
	if err != nil {
		return needsDocker(err)
	}
	options := h.daemonJSON().LogOpts
	if unbounded(info.LogDriver) && options["max-size"] == "" {
		return warn(fmt.Sprintf("Docker's copy of the output grows without a limit: log driver %s without max-size", info.LogDriver),
			`write "log-driver": "local" into /etc/docker/daemon.json and restart Docker, or set logging: {driver: local} for each container`)
	}
	return ok("log driver " + info.LogDriver + " is bounded")
}

// fewFiles is the limit of open files that a program gets without a setting of its unit.
const fewFiles = 1024

func checkNofile(ctx context.Context, h *host) []Finding {
	if h.daemonJSON().Ulimits["nofile"] != nil {
		return ok("daemon.json sets default-ulimits.nofile")
	}
	if c, err := config.Read(h.Root, datasource.Names()); err == nil && c.Ulimit("nofile") != nil {
		return ok("dockhost.yaml sets ulimits.nofile for assigned containers")
	}
	// A container inherits the limit of containerd, or of Docker, which may start its own.
	for _, unit := range []string{"containerd.service", "docker.service"} {
		properties, err := h.properties(ctx, unit, "LoadState", "ActiveState", "LimitNOFILESoft")
		if err != nil {
			return cannotAsk("the limit of open files", err)
		}
		if properties["LoadState"] != "loaded" || properties["ActiveState"] != "active" {
			continue
		}
		soft, err := strconv.ParseUint(properties["LimitNOFILESoft"], 10, 64)
		if err == nil && soft <= fewFiles {
			return warn(fmt.Sprintf("a container may open %d files only (Docker before 29 allowed 1048576)", soft),
				`write "ulimits: {nofile: 65536}" into /etc/dockhost/dockhost.yaml for all assigned containers, or into a container's service; for containers of others too: "default-ulimits" in /etc/docker/daemon.json`)
		}
		return ok("a container may open many files: LimitNOFILESoft=" + properties["LimitNOFILESoft"])
	}
	return skip("Docker does not run")
}
