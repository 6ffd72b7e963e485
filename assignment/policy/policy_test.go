package policy

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

// assign reads services as they stand below containers.
func assign(t *testing.T, section string) *spec.Assignment {
	t.Helper()
	top, err := document.Parse("user-data", []byte(section))
	if err != nil {
		t.Fatal(err)
	}
	assignment, err := compose.Parse(document.File("user-data"), top)
	if err != nil {
		t.Fatalf("%v in %s", err, section)
	}
	return assignment
}

func policy(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse(Path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCheck has one rule at a time judge one service.
func TestCheck(t *testing.T) {
	const digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	tests := []struct {
		policy, service string
		// rule is what refuses the service, "" where nothing does.
		rule string
	}{
		{"privileged: false", "privileged: true", "privileged: false"},
		{"privileged: false", "privileged: false", ""},
		{"privileged: true", "privileged: true", ""},
		{"default: allow", "privileged: true", ""},
		{"default: deny\nregistries: true\nimages_without_digest: true", "privileged: true", "default: deny, and no rule privileged,"},
		{"default: deny\nregistries: true\nimages_without_digest: true", "command: [x]", ""},
		{"default: deny\nimages_without_digest: true", "command: [x]", "default: deny, and no rule registries,"},
		{"default: deny\nregistries: true", "command: [x]", "default: deny, and no rule images_without_digest,"},

		{"registries: [docker.io]", "image: nginx", ""},
		{"registries: [docker.io/library]", "image: docker.io/nginx", ""},
		{"registries: [docker.io/library/nginx]", "image: index.docker.io/library/nginx:1", ""},
		{"registries: [docker.io/acme]", "image: nginx", "registries: [docker.io/acme]"},
		{"registries: [registry.test]", "image: registry.test:5000/x", "registries: [registry.test]"},
		{"registries: ['registry.test:*']", "image: registry.test:5000/x", ""},
		{"registries: [registry.test]", "image: registry.test.evil.com/x", "registries: "},
		{"registries: [registry.test]", "image: registry.testevil/x", "registries: "},
		{"registries: ['*.pkg.dev/acme/*']", "image: europe-docker.pkg.dev/acme/web/app:1", ""},
		{"registries: ['*.pkg.dev/acme/*']", "image: europe-docker.pkg.dev/acme", "registries: "},
		{"registries: ['*.pkg.dev/acme/*']", "image: evil.com/x.pkg.dev/acme/web", "registries: "},
		{"registries: [docker.io]", "image: 'sha256:aaaaaaaaaaaaaaaaaaaa'", "registries: "},
		{"registries: [docker.io]", "image: aaaaaaaaaaaa", "registries: "},
		{"registries: false", "image: nginx", "registries: false"},
		{"images_without_digest: false", "image: nginx:1", "images_without_digest: false"},
		{"images_without_digest: false", "image: 'nginx:1" + digest + "'", ""},
		{"images_without_digest: false", "image: 'sha256:aaaaaaaaaaaaaaaaaaaa'", "images_without_digest: false"},

		{"host_network: false", "network_mode: host", "host_network: false"},
		{"host_network: false", "network_mode: bridge", ""},
		{"host_network: false", "network_mode: none", ""},
		{"host_network: false", "network_mode: 1a2b3c4d5e6f", "host_network: false"},
		{"host_network: false", "network_mode: backend", ""},
		{"networks: [back*]", "network_mode: backend", ""},
		{"networks: [front]", "network_mode: backend", "networks: [front]"},
		{"networks: false", "network_mode: bridge", ""},
		{"other_containers: false", "network_mode: container:portainer", "other_containers: false"},
		{"other_containers: false", "network_mode: container:helper", ""},
		{"other_containers: false", "network_mode: service:helper", ""},
		{"other_containers: false", "pid: container:portainer", "other_containers: false"},
		{"other_containers: false", "ipc: container:portainer", "other_containers: false"},
		{"host_pid: false", "pid: host", "host_pid: false"},
		{"host_ipc: false", "ipc: host", "host_ipc: false"},
		{"host_ipc: false", "ipc: shareable", ""},
		{"host_uts: false", "uts: host", "host_uts: false"},
		{"host_userns: false", "userns_mode: host", "host_userns: false"},
		{"host_cgroup: false", "cgroup: host", "host_cgroup: false"},

		{"host_mounts: false", "volumes: ['/srv:/srv']", "host_mounts: false"},
		{"host_mounts: false", "volumes: ['data:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srv:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srv/a/b:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srvx:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/srv/../etc:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/srv/../../srv/./x/..:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['//etc:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: [{type: bind, source: /etc, target: /x, bind: {create_host_path: false}}]", "host_mounts: [/srv]"},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv:ro']", ""},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv:ro,z']", ""},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv']", "host_mounts: [/srv:ro]"},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, read_only: true, bind: {create_host_path: false}}]", ""},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, bind: {create_host_path: false}}]", "host_mounts: "},
		{"host_mounts: [/srv]", "tmpfs: ['/x:exec,suid,dev']", ""},
		{"volumes: [app-*]", "volumes: ['app-data:/x']", ""},
		{"volumes: [app-*]", "volumes: ['other:/x']", "volumes: [app-*]"},
		{"volumes: [app-*]", "volumes: [{type: volume, source: other, target: /x, volume: {subpath: a}}]", "volumes: [app-*]"},
		{"volumes: false", "volumes: [{type: volume, target: /x}]", ""},
		{"host_mounts: [/mnt]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a}]}", ""},
		{"host_mounts: [/mnt]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /opt/a}]}", "host_mounts: [/mnt]"},
		{"disks: ['/dev/disk/by-id/google-*']", "x-dockhost: {mounts: [{what: /dev/sdb, where: /opt/a}]}", "disks: "},
		{"disks: ['/dev/disk/by-id/google-*']", "x-dockhost: {mounts: [{what: /dev/disk/by-id/google-a, where: /opt/a}]}", ""},

		{"devices: false", "devices: ['/dev/kvm']", "devices: false"},
		{"devices: [/dev/kvm]", "devices: ['/dev/kvm:/dev/kvm:rw']", ""},
		{"devices: ['/dev/ttyUSB*']", "devices: ['/dev/ttyUSB3']", ""},
		{"devices: ['/dev/ttyUSB*']", "devices: ['/dev/../dev/sda']", "devices: "},
		{"devices: ['/dev/tty*']", "devices: ['/dev/tty/../sda']", "devices: "},
		{"devices: false", "volumes: ['/dev/sda:/disk']", "devices: false"},
		{"devices: false", "volumes: ['/dev:/hostdev']", "devices: false"},
		{"devices: false", "volumes: ['/:/host']", "devices: false"},
		{"devices: false", "devices: ['acme.com/fpga=1']", "devices: false"},
		{"devices: false", "devices: ['nvidia.com/gpu=all']", ""},
		{"gpus: false", "devices: ['nvidia.com/gpu=all']", "gpus: false"},
		{"gpus: false", "gpus: all", "gpus: false"},
		{"gpus: false", "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "gpus: false"},
		{"gpus: false", "gpus: all\n      x-dockhost: {gpu: docker}", "gpus: false"},
		{"gpus: false", "environment: {NVIDIA_VISIBLE_DEVICES: all}", "gpus: false"},
		{"gpus: true", "environment: {NVIDIA_VISIBLE_DEVICES: all}", ""},
		{"gpus: false", "runtime: nvidia", "gpus: false"},
		{"gpus: false", "runtime: /usr/bin/nvidia-container-runtime", "gpus: false"},

		{"capabilities: false", "cap_add: [SYS_ADMIN]", "capabilities: false"},
		{"capabilities: false", "cap_add: [cap_sys_admin]", "capabilities: false"},
		{"capabilities: false", "cap_add: [ALL]", "capabilities: false"},
		{"capabilities: false", "cap_add: [CHOWN, cap_kill]", ""},
		{"capabilities: false", "cap_drop: [ALL]", ""},
		{"capabilities: [NET_ADMIN]", "cap_add: [CAP_NET_ADMIN]", ""},
		{"capabilities: [cap_net_admin]", "cap_add: [net_admin]", ""},
		{"capabilities: [NET_ADMIN]", "cap_add: [all]", "capabilities: [NET_ADMIN]"},
		{"capabilities: ['*']", "cap_add: [all]", "capabilities: [*]"},
		{"capabilities: ['A*']", "cap_add: [CAP_ALL]", "capabilities: [A*]"},
		{"capabilities: [ALL]", "cap_add: [ALL]", ""},

		{"security_options: false", "security_opt: [seccomp=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: ['seccomp:unconfined']", "security_options: false"},
		{"security_options: false", "security_opt: ['seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}']", "security_options: false"},
		{"security_options: false", "security_opt: [apparmor=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: ['label:disable']", "security_options: false"},
		{"security_options: false", "security_opt: [systempaths=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: [writable-cgroups=true]", "security_options: false"},
		{"security_options: false", "security_opt: [no-new-privileges, seccomp=builtin]", ""},
		{"security_options: ['apparmor=acme-*']", "security_opt: ['apparmor:acme-web']", ""},
		{"security_options: ['apparmor=acme-*']", "security_opt: [apparmor=unconfined]", "security_options: "},

		{"runtimes: false", "command: [x]", ""},
		{"runtimes: false", "runtime: runsc", "runtimes: false"},
		{"runtimes: [runsc]", "runtime: runsc", ""},
		{"runtimes: [runsc]", "command: [x]", "runtimes: [runsc]"},
		{"runtimes: [runc]", "runtime: /tmp/runc", "runtimes: [runc]"},
		{"annotations: false", "annotations: {run.oci.hooks.stdout: /etc/x}", "annotations: false"},
		{"annotations: ['com.acme.*']", "annotations: {com.acme.team: a}", ""},
		{"log_drivers: [journald]", "logging: {driver: syslog}", "log_drivers: [journald]"},
		{"log_drivers: [journald]", "command: [x]", ""},

		{"privileged_ports: false", "ports: ['80:80']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['127.0.0.1:1023:80/udp']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['1020-1030:1020-1030']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['8080:80', '80']", ""},
		{"env_files: [/etc/app]", "env_file: [/etc/app/env]", ""},
		{"env_files: [/etc/app]", "env_file: [/etc/app/../shadow]", "env_files: [/etc/app]"},
		{"env_files: false", "env_file: [/etc/app]", "env_files: false"},

		{"unit_settings: false", "x-dockhost: {unit: {Service: {MemoryMax: 1G}}}", "unit_settings: false"},
		{"unit_settings: [MemoryMax, 'CPU*']", "x-dockhost: {unit: {Service: {MemoryMax: 1G, CPUWeight: 5}}}", ""},
		{"unit_settings: [Service.MemoryMax]", "x-dockhost: {unit: {Service: {ExecStopPost: /bin/sh}}}", "unit_settings: "},
		{"unit_settings: [Unit.*]", "x-dockhost: {unit: {Service: {ExecCondition: /bin/sh}}}", "unit_settings: "},
		{"unit_settings: false", "restart: on-failure:3", ""},
	}
	for _, test := range tests {
		service := "image: nginx"
		if !strings.HasPrefix(test.service, "image:") {
			service += "\n      " + test.service
		} else {
			service = test.service
		}
		err := policy(t, test.policy).Check(assign(t, "containers:\n    web:\n      "+service+"\n    helper: {image: 'nginx:1"+digest+"', runtime: ''}\n"))
		var refusals Refusals
		errors.As(err, &refusals)
		refusals = about("containers.web: ", refusals)
		switch {
		case test.rule == "" && len(refusals) > 0:
			t.Errorf("%q with policy %q: refused: %v", test.service, test.policy, refusals)
		case test.rule != "" && len(refusals) == 0:
			t.Errorf("%q with policy %q: allowed, want it refused", test.service, test.policy)
		case test.rule != "" && (!strings.Contains(refusals.Error(), test.rule) || !strings.Contains(refusals.Error(), "in "+Path+")")):
			t.Errorf("%q with policy %q: refused: %v, want the rule %q", test.service, test.policy, refusals, test.rule)
		}
	}
}

func about(where string, refusals Refusals) Refusals {
	var kept Refusals
	for _, refusal := range refusals {
		if strings.HasPrefix(refusal, where) {
			kept = append(kept, refusal)
		}
	}
	return kept
}

// Everything is told at once, and nothing secret of it.
func TestRefusals(t *testing.T) {
	p := policy(t, "privileged: false\ndevices: [/dev/kvm]\npassword_files: [/etc/dockhost]\ncredential_helpers: false\n"+
		"credential_helper_environment: [AWS_*]\ncredentials: [reg.*]\n")
	err := p.Check(assign(t, `
containers:
  web: {image: nginx, privileged: true, devices: [/dev/sda], environment: {PASSWORD: hunter2canary}}
registries:
  a.test: {username: u, password_file: /etc/shadow}
  b.test: {credential_helper: vault, environment: {LD_PRELOAD: hunter2canary, AWS_PROFILE: x}}
  c.test: {username: u, password_credential: other}
  d.test: {username: hunter2canary, password: hunter2canary}
  e.test: {username: u, password_file: /etc/dockhost/login}
  f.test: {username: u, password_credential: reg.f}
`))
	want := `containers.web: privileged is not allowed here (rule privileged: false in /etc/dockhost/policy.yaml)
containers.web: the device "/dev/sda" is not allowed here (rule devices: [/dev/kvm] in /etc/dockhost/policy.yaml)
registries.a.test: the password_file /etc/shadow is not allowed here (rule password_files: [/etc/dockhost] in /etc/dockhost/policy.yaml)
registries.b.test: the credential helper "vault" is not allowed here (rule credential_helpers: false in /etc/dockhost/policy.yaml)
registries.b.test: the variable of a credential helper "LD_PRELOAD" is not allowed here (rule credential_helper_environment: [AWS_*] in /etc/dockhost/policy.yaml)
registries.c.test: the credential "other" is not allowed here (rule credentials: [reg.*] in /etc/dockhost/policy.yaml)`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("Check() (-want +got):\n%s", diff)
	}
}

// What no declaration of ours can ask for is judged as well: the policy is the
// last to see what runs.
func TestCheckEngineOnly(t *testing.T) {
	tests := []struct {
		policy string
		change func(host *container.HostConfig)
	}{
		{"host_mounts: [/srv]", func(host *container.HostConfig) {
			host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "x", VolumeOptions: &mount.VolumeOptions{
				DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": "/etc"}},
			}}}
		}},
		{"devices: [/dev/kvm]", func(host *container.HostConfig) { host.DeviceCgroupRules = []string{"c *:* rwm"} }},
		{"other_containers: false", func(host *container.HostConfig) { host.VolumesFrom = []string{"portainer"} }},
		{"runtimes: [runc]", func(host *container.HostConfig) { host.Runtime = "other" }},
		{"security_options: false", func(host *container.HostConfig) { host.MaskedPaths = []string{} }},
	}
	for _, test := range tests {
		assignment := assign(t, "containers: {web: {image: nginx}}")
		test.change(assignment.Containers[0].HostConfig)
		if err := policy(t, test.policy).Check(assignment); err == nil {
			t.Errorf("policy %q allows %+v", test.policy, assignment.Containers[0].HostConfig)
		}
	}
}

// TestEverythingIsJudged fails when there is something new to ask for that
// nobody has thought about here.
func TestEverythingIsJudged(t *testing.T) {
	judged := map[reflect.Type]string{
		reflect.TypeFor[container.HostConfig](): "Annotations Binds CapAdd CgroupnsMode IpcMode Links LogConfig MaskedPaths Mounts NetworkMode " +
			"PidMode PortBindings Privileged ReadonlyPaths Resources Runtime SecurityOpt UTSMode UsernsMode VolumesFrom",
		reflect.TypeFor[container.Resources](): "DeviceCgroupRules DeviceRequests Devices",
		reflect.TypeFor[spec.Container]():      "EnvFiles GPU HostConfig Image Mounts Runtime Unit",
		reflect.TypeFor[spec.Registry]():       "CredentialHelper Environment PasswordCredential PasswordFile",
		reflect.TypeFor[spec.Assignment]():     "Containers Housekeeping Registries",
	}
	harmless := map[reflect.Type]string{
		// AutoRemove and RestartPolicy are the supervisor's; ContainerIDFile and
		// VolumeDriver are of docker run alone; Isolation and ConsoleSize are for
		// Windows. The rest is within the container's own namespaces.
		reflect.TypeFor[container.HostConfig](): "AutoRemove CapDrop Cgroup ConsoleSize ContainerIDFile DNS DNSOptions DNSSearch ExtraHosts GroupAdd " +
			"Init Isolation OomScoreAdj PublishAllPorts ReadonlyRootfs RestartPolicy ShmSize StorageOpt Sysctls Tmpfs VolumeDriver",
		// Limits. CgroupParent is the supervisor's.
		reflect.TypeFor[container.Resources](): "BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight BlkioWeightDevice " +
			"CPUCount CPUPercent CPUPeriod CPUQuota CPURealtimePeriod CPURealtimeRuntime CPUShares CgroupParent CpusetCpus CpusetMems " +
			"IOMaximumBandwidth IOMaximumIOps KernelMemory KernelMemoryTCP Memory MemoryReservation MemorySwap MemorySwappiness NanoCPUs OomKillDisable PidsLimit Ulimits",
		// Credentials are those of the logins. Run is not of user data.
		reflect.TypeFor[spec.Container](): "Config Credentials DependsOn Name Networking Notify Platform PullPolicy PullStallTimeout Reload Restart Run",
		// Identity goes to that cloud's own registries alone.
		reflect.TypeFor[spec.Registry]():   "Identity Password Username",
		reflect.TypeFor[spec.Assignment](): "",
	}
	for kind, names := range judged {
		known := strings.Fields(names + " " + harmless[kind])
		for _, field := range reflect.VisibleFields(kind) {
			if len(field.Index) == 1 && !slices.Contains(known, field.Name) {
				t.Errorf("%s.%s is new: judge it in Check, or say why it is harmless", kind, field.Name)
			}
		}
	}
}

func TestParseBad(t *testing.T) {
	tests := []struct{ text, want string }{
		{"privilegd: false", `/etc/dockhost/policy.yaml:1:1 privilegd: unknown key "privilegd" (did you mean "privileged"?)`},
		{"privileged: [a]", "1:1 privileged: neither true nor false"},
		{"privileged: no way", "1:1 privileged: neither true nor false"},
		{"registries: docker.io", "1:1 registries: not a rule: write true for everything, false for nothing, or a list of what is allowed"},
		{"registries: ['[a']", "1:14 registries[0]: a [ without its ]"},
		{"host_mounts: [srv]", "1:15 host_mounts[0]: not a path"},
		{"host_mounts: [/srv/../etc]", "1:15 host_mounts[0]: not a path"},
		{"host_mounts: [/srv/]", "1:15 host_mounts[0]: not a path"},
		{"volumes: [{a: b}]", "1:11 volumes[0]: not a string"},
		{"default: maybe", "1:1 default: unknown default: write allow or deny"},
		{"", "1:1: empty: write default: allow, or remove the file"},
		{"# nothing\n", "empty"},
		{"- a", "not a mapping"},
		{"privileged: false\nprivileged: true", "this key stands twice"},
		{"privileged: 'false'", "neither true nor false"},
		{"registries: 'false'", "not a rule"},
		{"a: [", "not YAML"},
	}
	for _, test := range tests {
		p, err := Parse(Path, []byte(test.text))
		if err == nil || p != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q) = %v, %v, want %q", test.text, p, err, test.want)
		}
	}
	// All at once.
	_, err := Parse(Path, []byte("a: 1\nb: 2\n"))
	var problems document.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Errorf("Parse() = %v, want two problems", err)
	}
}

// A host without a policy has a nil one.
func TestNilPolicyAllows(t *testing.T) {
	var none *Policy
	if err := none.Check(assign(t, "containers: {web: {image: nginx, privileged: true}}")); err != nil {
		t.Errorf("no policy: %v, want all allowed", err)
	}
}

// A path is judged by where it leads, and named as it was written.
func TestResolving(t *testing.T) {
	p := policy(t, "host_mounts: [/srv]").Resolving(func(name string) string { return strings.Replace(name, "/link", "/etc", 1) })
	err := p.Check(assign(t, "containers: {web: {image: nginx, volumes: ['/link/x:/x', '/srv/y:/y']}}"))
	want := "containers.web: a mount of /link/x, which is /etc/x, is not allowed here (rule host_mounts: [/srv] in /etc/dockhost/policy.yaml)"
	if err == nil || err.Error() != want {
		t.Errorf("Check() = %v, want %s", err, want)
	}
}

// The example that is shipped is one.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../packaging/examples/policy.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	policy(t, string(text))
}

// The manual has each rule, and no other.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/man/dockhost-policy.yaml.5")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if item, found := strings.CutPrefix(line, ".It Ic "); found {
			for name := range strings.SplitSeq(strings.TrimSpace(item), " , Ic ") {
				documented[name] = true
			}
		}
	}
	want := map[string]bool{"default": true}
	for _, name := range names() {
		want[name] = true
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("rules (-program +manual):\n%s", diff)
	}
}

// What a host removes is for whoever owns it to say.
func TestCheckHousekeeping(t *testing.T) {
	asked := assign(t, "containers: {}\nhousekeeping: {images: all}")
	for text, want := range map[string]string{
		"housekeeping: true": "", "default: allow": "",
		"housekeeping: false": "housekeeping: to change what the host removes is not allowed here (rule housekeeping: false in /etc/dockhost/policy.yaml)",
		"default: deny":       "housekeeping: to change what the host removes is not allowed here (default: deny, and no rule housekeeping, in /etc/dockhost/policy.yaml)",
	} {
		got := ""
		if err := policy(t, text).Check(asked); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("policy %q says %q, want %q", text, got, want)
		}
	}
}
