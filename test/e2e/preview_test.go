//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/ctl/preview"
)

// nobody runs a command as a user without privileges.
const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH "

// rich is user data with many keys of a service.
const rich = `#cloud-config
dockhost:
  containers:
    base: {image: "localhost:5000/app:1"}
    app:
      image: localhost:5000/app:1
      environment: {PASSWORD: hunter2canary, MODE: fast}
      env_file: /etc/app.env
      labels: {team: web}
      ports: ["127.0.0.1:8081:8080", "8082:8082/udp"]
      volumes: ["/srv:/srv:ro", "data:/data"]
      tmpfs: /scratch
      mem_limit: 64m
      cap_drop: [CAP_NET_RAW]
      network_mode: bridge
      ulimits: {nofile: 1000}
      sysctls: {net.ipv4.ip_unprivileged_port_start: 0}
      extra_hosts: ["other:10.0.0.1"]
      logging: {driver: json-file, options: {max-size: 1m}}
      healthcheck: {test: [CMD, "true"], interval: 1s}
      stop_grace_period: 5s
      restart: on-failure
      depends_on: [base]
      x-dockhost:
        reload: {signal: HUP}
        unit:
          Unit: {Documentation: "https://example.com/%n"}
          Service: {CPUWeight: 50, WatchdogSec: 1min 30s}
` + registries

// rendered returns what `dockhostctl render` prints for the container app, run by
// a user without privileges.
func (h *host) rendered() preview.Rendered {
	h.Helper()
	version := strings.Fields(h.run("systemctl --version"))[1]
	out := h.run(nobody + "dockhostctl render - app --json --show-env --systemd-version " + version + " <" + seed + "/user-data")
	var all preview.Rendering
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Containers) != 1 {
		h.Fatalf("dockhostctl render prints %s: %v", out, err)
	}
	return all.Containers[0]
}

// TestRenderShowsWhatRuns compares what render shows with the unit that systemd
// has and the container that Docker has.
func TestRenderShowsWhatRuns(t *testing.T) {
	h := newHost(t)
	h.write("/etc/app.env", "FROM_FILE=1\n")
	h.userData(rich)
	want := h.rendered()
	h.takeOver()
	h.ready("app")

	var files []string
	for _, file := range want.Files {
		files = append(files, "# "+file.Path+"\n"+strings.TrimSpace(file.Text))
	}
	cat := strings.ReplaceAll("\n"+h.output("systemctl cat dockhost@app.service"), "\n# /lib/", "\n# /usr/lib/")
	if diff := cmp.Diff(strings.Join(files, "\n\n"), strings.TrimSpace(cat)); diff != "" {
		t.Errorf("the unit (-render, +systemctl cat):\n%s", diff)
	}

	var containers []struct{ Config, HostConfig map[string]any }
	if err := json.Unmarshal([]byte(h.run("docker inspect app")), &containers); err != nil || len(containers) != 1 {
		t.Fatalf("docker inspect: %v", err)
	}
	body := want.Create.Body
	hostConfig := body["HostConfig"].(map[string]any)
	delete(body, "HostConfig")
	if h.output("docker info -f '{{.MemoryLimit}}'") == "false" {
		delete(hostConfig, "Memory") // Docker drops the limit without the controller
	}
	labels := body["Labels"].(map[string]any)
	delete(labels, "dockhost.supervisor") // names the supervisor's process
	for _, difference := range differences("Config", body, containers[0].Config) {
		t.Error(difference)
	}
	for _, difference := range differences("HostConfig", hostConfig, containers[0].HostConfig) {
		t.Error(difference)
	}
	if env := fmt.Sprint(containers[0].Config["Env"]); !strings.Contains(env, "FROM_FILE=1") || !slices.Equal(want.EnvFiles, []string{"/etc/app.env"}) {
		t.Errorf("environment = %s, want the variables of %v in it", env, want.EnvFiles)
	}
}

// TestValidateRunsInContainer runs dockhostctl validate in a container with
// nothing but the program and the user data, as in CI.
func TestValidateRunsInContainer(t *testing.T) {
	h := newHost(t)
	h.userData(rich)
	h.takeOver()
	h.ready("base") // the host has the image now
	out := h.run("chmod -R a+rX " + seed + `
		docker run --rm --user 65534 --network none --read-only --cap-drop ALL --entrypoint /dockhostctl \
			-v /usr/bin/dockhost:/dockhostctl:ro -v ` + seed + `:/seed:ro localhost:5000/app:1 validate --seed /seed`)
	if want := "/seed: 2 containers: app, base\n"; out != want {
		t.Errorf("dockhostctl validate prints %q, want %q", out, want)
	}
}

var socketPID = regexp.MustCompile(`notify-[0-9]+$`)

// differences returns the values in want that got lacks. It ignores further fields
// and variables in got: Docker adds defaults and those of the image.
func differences(path string, want, got any) []string {
	var all []string
	switch want := want.(type) {
	case map[string]any:
		below, _ := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			all = append(all, differences(path+"."+name, want[name], below[name])...)
		}
		return all
	case []any:
		list, _ := got.([]any)
		if path == "Config.Env" {
			for _, variable := range want {
				if !slices.Contains(list, variable) {
					all = append(all, fmt.Sprintf("%s lacks %v", path, variable))
				}
			}
			return all
		}
		if len(list) != len(want) {
			return []string{fmt.Sprintf("%s: render shows %v, Docker has %v", path, want, got)}
		}
		for i := range want {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])...)
		}
		return all
	}
	if text, ok := got.(string); ok {
		got = socketPID.ReplaceAllString(text, "notify-PID")
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: render shows %v, Docker has %v", path, want, got)}
	}
	return nil
}

// TestRenderShowsNotifySocket renders a container with notify: container: render
// shows the notify socket too.
func TestRenderShowsNotifySocket(t *testing.T) {
	h := newHost(t)
	h.userData("#cloud-config\n" + app(`command: ["-notify"]`, "x-dockhost: {notify: container, unit: {Service: {WatchdogSec: 30s}}}"))
	want := h.rendered()
	h.takeOver()
	var containers []struct{ Config, HostConfig map[string]any }
	h.eventually("the container exists", func() error {
		out, code := h.try("docker inspect app")
		if code != 0 {
			return fmt.Errorf("docker inspect: %s", out)
		}
		return json.Unmarshal([]byte(out), &containers)
	})
	body := want.Create.Body
	all := differences("Config.Env", body["Env"], containers[0].Config["Env"])
	all = append(all, differences("HostConfig.Mounts", body["HostConfig"].(map[string]any)["Mounts"], containers[0].HostConfig["Mounts"])...)
	for _, difference := range all {
		t.Error(difference)
	}
}

// TestValidateAgreesWithAgent validates user data as a user without privileges:
// the problems are those that the agent reports.
func TestValidateAgreesWithAgent(t *testing.T) {
	h := newHost(t)
	h.userData("#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx, port: 80, mem_limit: lots}\n")
	h.takeOver()
	status, _ := h.status()
	out, code := h.try("cd /tmp && cp -r " + seed + " seed && chmod -R a+rX seed && " + nobody + "dockhostctl validate --seed seed; code=$?; rm -rf seed; exit $code")
	if code != 1 {
		t.Errorf("dockhostctl validate exits %d, want 1", code)
	}
	problems := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "seed/user-data", "user-data")), "\n")
	if diff := cmp.Diff(status.Source.Problems, problems); diff != "" {
		t.Errorf("problems (-status, +validate):\n%s", diff)
	}
	for command, want := range map[string]int{
		"validate " + seed + "/none": 1, "validate": 1, "render --bad": 1,
		"validate - <<<'services: {web: {image: nginx}}'": 0, "render - <<<'#cloud-config'": 0, "render - <<<'services: {web: {}}'": 1,
	} {
		if out, code := h.try("dockhostctl " + command); code != want {
			t.Errorf("dockhostctl %s exits %d, want %d: %s", command, code, want, out)
		}
	}
	h.userData(rich)
	if out := h.run("dockhostctl render " + seed + "/user-data"); strings.Contains(out, "hunter2canary") || strings.Contains(out, "s3cret") {
		t.Errorf("dockhostctl render shows a secret: %s", out)
	}
}
