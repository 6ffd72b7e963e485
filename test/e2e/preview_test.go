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

// nobody runs a command as someone who may do nothing.
const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH "

// rich asks for as much as one container can.
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

// rendered is what `dockhostctl render` says of the container app, shown to
// nobody on this host.
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

// What render shows is what systemd has, and what Docker has.
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

	var found []struct{ Config, HostConfig map[string]any }
	if err := json.Unmarshal([]byte(h.run("docker inspect app")), &found); err != nil || len(found) != 1 {
		t.Fatalf("docker inspect: %v", err)
	}
	body := want.Create.Body
	hostConfig := body["HostConfig"].(map[string]any)
	delete(body, "HostConfig")
	if h.output("docker info -f '{{.MemoryLimit}}'") == "false" {
		delete(hostConfig, "Memory") // Docker takes none where there is no such controller
	}
	labels := body["Labels"].(map[string]any)
	delete(labels, "dockhost.supervisor") // is the process's own
	for _, wrong := range differences("Config", body, found[0].Config) {
		t.Error(wrong)
	}
	for _, wrong := range differences("HostConfig", hostConfig, found[0].HostConfig) {
		t.Error(wrong)
	}
	if env := fmt.Sprint(found[0].Config["Env"]); !strings.Contains(env, "FROM_FILE=1") || !slices.Equal(want.EnvFiles, []string{"/etc/app.env"}) {
		t.Errorf("the variables are %s, want those of the file %v as well", env, want.EnvFiles)
	}
}

// In CI there may be nothing but the program and the files.
func TestValidateRunsInContainer(t *testing.T) {
	h := newHost(t)
	h.userData(rich)
	h.takeOver()
	h.ready("base") // the image is there
	out := h.run("chmod -R a+rX " + seed + `
		docker run --rm --user 65534 --network none --read-only --cap-drop ALL --entrypoint /dockhostctl \
			-v /usr/bin/dockhost:/dockhostctl:ro -v ` + seed + `:/seed:ro localhost:5000/app:1 validate --seed /seed`)
	if want := "/seed: 2 containers: app, base\n"; out != want {
		t.Errorf("dockhostctl validate prints %q, want %q", out, want)
	}
}

var socketPID = regexp.MustCompile(`notify-[0-9]+$`)

// differences says where what was asked for is not what there is: Docker adds
// fields, and variables and labels of the image.
func differences(path string, want, got any) []string {
	var wrong []string
	switch want := want.(type) {
	case map[string]any:
		below, _ := got.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			wrong = append(wrong, differences(path+"."+name, want[name], below[name])...)
		}
		return wrong
	case []any:
		list, _ := got.([]any)
		if path == "Config.Env" {
			for _, variable := range want {
				if !slices.Contains(list, variable) {
					wrong = append(wrong, fmt.Sprintf("%s lacks %v", path, variable))
				}
			}
			return wrong
		}
		if len(list) != len(want) {
			return []string{fmt.Sprintf("%s: render shows %v, Docker has %v", path, want, got)}
		}
		for i := range want {
			wrong = append(wrong, differences(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])...)
		}
		return wrong
	}
	if text, ok := got.(string); ok {
		got = socketPID.ReplaceAllString(text, "notify-PID")
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: render shows %v, Docker has %v", path, want, got)}
	}
	return nil
}

// With a container that speaks to systemd itself, the socket is shown as well.
func TestRenderShowsNotifySocket(t *testing.T) {
	h := newHost(t)
	h.userData("#cloud-config\n" + app(`command: ["-notify"]`, "x-dockhost: {notify: container, unit: {Service: {WatchdogSec: 30s}}}"))
	want := h.rendered()
	h.takeOver()
	var found []struct{ Config, HostConfig map[string]any }
	h.eventually("the container is made", func() error {
		out, code := h.try("docker inspect app")
		if code != 0 {
			return fmt.Errorf("docker inspect: %s", out)
		}
		return json.Unmarshal([]byte(out), &found)
	})
	body := want.Create.Body
	wrong := differences("Config.Env", body["Env"], found[0].Config["Env"])
	wrong = append(wrong, differences("HostConfig.Mounts", body["HostConfig"].(map[string]any)["Mounts"], found[0].HostConfig["Mounts"])...)
	for _, line := range wrong {
		t.Error(line)
	}
}

// Whoever may do nothing on the host can have user data judged, as the agent
// judges it.
func TestValidateAgreesWithAgent(t *testing.T) {
	h := newHost(t)
	h.userData("#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx, port: 80, mem_limit: lots}\n")
	h.takeOver()
	status, _ := h.status()
	out, code := h.try("cd /tmp && cp -r " + seed + " seed && chmod -R a+rX seed && " + nobody + "dockhostctl validate --seed seed; code=$?; rm -rf seed; exit $code")
	if code != 1 {
		t.Errorf("dockhostctl validate exits %d, want 1", code)
	}
	told := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "seed/user-data", "user-data")), "\n")
	if diff := cmp.Diff(status.Source.Problems, told); diff != "" {
		t.Errorf("problems (-status, +validate):\n%s", diff)
	}
	for command, want := range map[string]int{
		"validate " + seed + "/none": 2, "validate": 2, "render --bad": 2,
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
