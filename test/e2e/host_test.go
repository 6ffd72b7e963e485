//go:build e2e

// Package e2e drives a real test host: systemd as PID 1, Docker Engine and a
// registry. test/e2e/run.sh boots the hosts and runs the package on each.
package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

var suite = flag.String("suite", "trixie", "the test host: dockhost-lab-SUITE")

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run()) // which needs no host
	}
	if out, err := exec.Command("docker", "exec", hostName(), "true").CombinedOutput(); err != nil {
		if slices.Contains(strings.Split(os.Getenv("DOCKHOST_REQUIRE"), ","), "docker") {
			fmt.Fprintf(os.Stderr, "test host %s: %v: %s(boot it with: make lab-up SUITE=%s)\n", hostName(), err, out, *suite)
			os.Exit(1)
		}
		fmt.Printf("skipped: no test host %s (boot it with: make lab-up SUITE=%s)\n", hostName(), *suite)
		os.Exit(0)
	}
	os.Exit(runTests(m))
}

// runTests runs the tests with a directory for the programs that they build.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dockhost-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs.dir = dir
	if err := pullImages(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// pullImages pulls the images that most tests need, so that no test depends on one before.
func pullImages() error {
	out, status, err := runScript(context.Background(), `
		systemctl start docker.service docker-registry.service
		docker login -u deploy -p s3cret localhost:5000 2>/dev/null &&
			docker pull -q localhost:5000/app:1 && docker pull -q localhost:5000/busybox || exit
		docker logout localhost:5000; rm -rf /root/.docker`)
	if err == nil && status != 0 {
		err = fmt.Errorf("pull the images of the tests: exit status %d: %s", status, out)
	}
	return err
}

// hostName returns the container name that test/lab/lab.sh gives the test host.
func hostName() string {
	name := "dockhost-lab-" + *suite
	if own := os.Getenv("LAB_NAME"); own != "" {
		name += "-" + own
	}
	return name
}

// host is the test host in the hands of one test.
type host struct {
	*testing.T
}

// newHost returns the host with no container assigned or running, with Docker
// and the registry up, and with dockhost set up. A test that fails prints the
// journal.
func newHost(t *testing.T) *host {
	t.Helper()
	skipWithoutTime(t)
	h := &host{t}
	if !clean {
		h.reset()
	}
	clean = false
	since := strconv.FormatInt(time.Now().Unix(), 10) // the host has the clock of this machine
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := h.try("journalctl --no-pager -o short-precise --since @" + since + " | tail -n 120; dockhostctl status; docker ps -a")
			t.Logf("%s says:\n%s", hostName(), out)
		}
		h.reset()
		clean = true
	})
	return h
}

// subtest runs a check of the host as a subtest.
func (h *host) subtest(name string, check func(h *host)) {
	h.Run(name, func(t *testing.T) { check(&host{t}) })
}

// clean is whether the last test has already reset the host.
var clean bool

// reset returns the host to its state after the first boot. It makes systemd read its units
// again only if a test has left something that dockhost does not heal: systemd is the
// busiest process of these tests. It asks Docker only for what Docker's directory has, and
// sets dockhost up again only after a change of daemon.json.
func (h *host) reset() {
	h.Helper()
	h.run(`
		for unit in docker.service docker.socket; do
			if [ -L /etc/systemd/system/$unit ] || [ -L /run/systemd/system/$unit ]; then systemctl unmask --quiet $unit; systemctl unmask --quiet --runtime $unit; fi
		done
		systemctl stop dockhost.service dockhost.socket # first: it may be starting a container
		systemctl stop 'dockhost@*.service'
		systemctl reset-failed
		rm -rf /var/lib/cloud/seed/* /etc/dockhost/* /var/lib/dockhost/assignment.json /var/lib/dockhost/images.json /var/lib/dockhost/updates /var/lib/dockhost/fleet.json /var/lib/dockhost/events.jsonl /run/dockhost/boot.json /run/dockhost/containers/* /run/dockhost/state/* /run/dockhost/logins/* /run/systemd/system/dockhost@*.service.d
		left=$(compgen -G '/run/systemd/system/dockhost.service.d' || compgen -G '/etc/systemd/system/dockhost@*.service.d' || :)
		if [ -n "$left" ]; then rm -rf $left; systemctl daemon-reload; fi
		systemctl start docker.service docker-registry.service
		docker=/var/lib/docker
		if [ ! -d $docker/containers ] || compgen -G "$docker/containers/*" >/dev/null; then
			ids=$(docker ps -aq) && [ -z "$ids" ] || docker rm -fv $ids >/dev/null
		fi
		if [ ! -d $docker/volumes ] || compgen -G "$docker/volumes/*/" >/dev/null; then
			volumes=$(docker volume ls -q) && [ -z "$volumes" ] || docker volume rm -f $volumes >/dev/null
		fi
		if [ ! -e $docker/image/overlay2/repositories.json ] || grep -q '"dockhost\.local/' $docker/image/overlay2/repositories.json; then
			docker image ls --format "{{.Repository}}:{{.Tag}}" "dockhost.local/*" | xargs -r docker rmi >/dev/null
		fi
		rm -f /run/dockhost/runtime/*
		if ! cmp -s /etc/docker/daemon.json /run/dockhost-e2e-daemon.json; then
			dockhost setup 2>/dev/null
			cp /etc/docker/daemon.json /run/dockhost-e2e-daemon.json
		fi`)
}

// try runs a shell script on the host and returns its output and exit status.
func (h *host) try(script string) (string, int) {
	h.Helper()
	out, status, err := runScript(h.context(), script)
	if err != nil {
		h.Fatalf("run on %s: %v", hostName(), err)
	}
	return out, status
}

// context returns the test's context, or in a cleanup, when that has ended, one without an end.
func (h *host) context() context.Context {
	if ctx := h.Context(); ctx.Err() == nil {
		return ctx
	}
	return context.Background()
}

// tryWith is try for a script that reads stdin.
func (h *host) tryWith(script, stdin string) (string, int) {
	h.Helper()
	cmd := exec.Command("docker", "exec", "-i", hostName(), "bash", "-c", script)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatalf("run on %s: %v", hostName(), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// run is try for a script that must succeed.
func (h *host) run(script string) string {
	h.Helper()
	out, code := h.try("set -e\n" + script)
	if code != 0 {
		h.Fatalf("on %s: %s\nexited %d: %s", hostName(), script, code, out)
	}
	return out
}

// output is run with the white space at both ends trimmed.
func (h *host) output(script string) string {
	h.Helper()
	return strings.TrimSpace(h.run(script))
}

// write writes a file on the host.
func (h *host) write(path, text string) {
	h.Helper()
	if inside.write(path, text) == nil {
		return
	}
	script := fmt.Sprintf("mkdir -p $(dirname %[1]s) && base64 -d >%[1]s", path)
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	if out, code := h.tryWith(script, encoded); code != 0 {
		h.Fatalf("write %s: %s", path, out)
	}
}

const seed = "/var/lib/cloud/seed/nocloud"

// userData writes the user data of the host, and an instance-id unless it has
// one. It does not reload the agent.
func (h *host) userData(text string) {
	h.Helper()
	h.write(seed+"/user-data", text)
	if !inside.exists(seed + "/meta-data") {
		h.run("[ -e " + seed + "/meta-data ] || echo 'instance-id: i-first' >" + seed + "/meta-data")
	}
}

// assign writes user data with this dockhost section, and reloads the agent.
func (h *host) assign(section string) {
	h.Helper()
	h.userData("#cloud-config\n" + section)
	h.takeOver()
}

// takeOver makes the agent read the user data, and starts it if necessary. It returns when
// what is not assigned any more has stopped.
func (h *host) takeOver() {
	h.Helper()
	h.run(`
		systemctl reload-or-restart dockhost.service
		for ((n = 0; n < 3000; n++)); do
			jobs=$(systemctl list-jobs --no-legend "dockhost@*" "*.mount")
			[[ $jobs = *" stop "* ]] || exit 0
			sleep 0.1
		done
		echo "$jobs"
		exit 1`)
}

// configureDocker sets a key of daemon.json until the test ends, and restarts
// Docker.
func (h *host) configureDocker(key, value string) {
	h.Helper()
	const file = "/etc/docker/daemon.json"
	before := h.run("cat " + file)
	h.Cleanup(func() {
		h.write(file, before)
		h.run("systemctl stop dockhost.socket dockhost.service 'dockhost@*.service'")
		h.restartDocker()
	})
	h.run("jq '.[\"" + key + "\"] = " + value + "' " + file + " >" + file + ".new && mv " + file + ".new " + file)
	h.restartDocker()
}

// restartDocker restarts Docker, past systemd's limit on restarts.
func (h *host) restartDocker() {
	h.Helper()
	h.run("systemctl reset-failed docker.service docker.socket; systemctl restart docker.service")
}

// eventually waits up to a minute until check returns nil.
func (h *host) eventually(what string, check func() error) {
	h.Helper()
	h.within(time.Minute, what, check)
}

// The pauses between two checks, at first and at most. Checks take the processor from what
// they wait for.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 400 * time.Millisecond
)

// within waits up to a limit until check returns nil.
func (h *host) within(limit time.Duration, what string, check func() error) {
	h.Helper()
	deadline := time.Now().Add(limit)
	for pause := firstPause; ; pause = min(pause*3/2, longestPause) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("waited %s until %s: %v", limit, what, err)
		}
		time.Sleep(pause)
	}
}

// status returns what `dockhostctl status --json` prints, and its exit status.
func (h *host) status() (api.Status, int) {
	h.Helper()
	out, code := h.try("dockhostctl status --json")
	var s api.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		h.Fatalf("dockhostctl status --json: %v: %s", err, out)
	}
	return s, code
}

// container returns the status of one container.
func (h *host) container(name string) (api.Container, error) {
	h.Helper()
	s, err := inside.status(h.context())
	if err != nil {
		s, _ = h.status()
	}
	for _, c := range s.Containers {
		if c.Name == name {
			return c, nil
		}
	}
	return api.Container{}, fmt.Errorf("status lacks container %q", name)
}

// ready waits until the container is ready and no change of it is pending.
func (h *host) ready(name string) api.Container {
	h.Helper()
	var c api.Container
	h.eventually(name+" is ready", func() (err error) {
		if c, err = h.container(name); err != nil {
			return err
		}
		if !c.Ready || c.Pending != nil {
			return fmt.Errorf("status = %+v", c)
		}
		return nil
	})
	return c
}

// reaches waits until the ActiveState of a unit is one of these.
func (h *host) reaches(unit string, states ...string) {
	h.Helper()
	h.eventually(unit+" is "+strings.Join(states, " or "), func() error {
		found, err := inside.unit(h.context(), unit)
		state := found.ActiveState
		if err != nil {
			state = h.property(unit, "ActiveState")
		}
		if !slices.Contains(states, state) {
			return fmt.Errorf("ActiveState = %s", state)
		}
		return nil
	})
}

// pid returns the PID of the container's first process.
func (h *host) pid(name string) string {
	h.Helper()
	return h.output("docker inspect -f '{{.State.Pid}}' " + name)
}

// property returns a property of a systemd unit.
func (h *host) property(unit, name string) string {
	h.Helper()
	return h.output("systemctl show --value -p " + name + " " + unit)
}

// journal returns the last 200 lines that a unit has logged since the boot.
func (h *host) journal(unit string) string {
	h.Helper()
	return h.run("journalctl --sync; journalctl --no-pager -o cat -b -u " + unit + " -n 200")
}

// web assigns an nginx that is ready once it serves HTTPS.
const web = `dockhost:
  containers:
    web:
      image: localhost:5000/nginx:1.22
      ports: ["443:443"]
      healthcheck: {test: ["CMD", "curl", "-fsk", "https://localhost/"], interval: 500ms}
      x-dockhost:
        notify: healthy
` + registries

const registries = `  registries:
    localhost:5000: {username: deploy, password: s3cret}
`

// app assigns the test application, with these keys of a Compose service.
func app(keys ...string) string {
	section := "dockhost:\n  containers:\n    app:\n      image: localhost:5000/app:1\n"
	for _, key := range keys {
		section += "      " + key + "\n"
	}
	return section + registries
}

// dockerOutside runs docker on the machine that runs the test hosts.
func dockerOutside(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).CombinedOutput()
	return string(out), err
}
