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

// assign parses a dockhost section.
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

// The error has all refusals at once, and no secret.
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

// Settings that no declaration can contain are judged as well, as nothing checks them
// after the policy.
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

// TestEverythingIsJudged fails for a new setting that is neither judged nor listed as
// harmless.
func TestEverythingIsJudged(t *testing.T) {
	judged := map[reflect.Type]string{
		reflect.TypeFor[container.HostConfig](): "Annotations Binds CapAdd CgroupnsMode IpcMode Links LogConfig MaskedPaths Mounts NetworkMode " +
			"PidMode PortBindings Privileged ReadonlyPaths Resources Runtime SecurityOpt UTSMode UsernsMode VolumesFrom",
		reflect.TypeFor[container.Resources](): "DeviceCgroupRules DeviceRequests Devices",
		reflect.TypeFor[spec.Container]():      "EnvFiles Files GPU HostConfig Image Mounts Networks PostStart PreStop Runtime Unit Update Volumes",
		reflect.TypeFor[spec.Update]():         "FleetLock Lock",
		reflect.TypeFor[spec.UpdateLock]():     "File",
		reflect.TypeFor[spec.FleetLock]():      "BaseURL",
		reflect.TypeFor[spec.Registry]():       "CredentialHelper Environment PasswordCredential PasswordFile",
		reflect.TypeFor[spec.Assignment]():     "Containers Housekeeping Registries",
	}
	harmless := map[reflect.Type]string{
		// The supervisor sets AutoRemove and RestartPolicy. ContainerIDFile and VolumeDriver
		// belong to docker run alone, Isolation and ConsoleSize to Windows. The rest has an
		// effect in the container's namespaces alone.
		reflect.TypeFor[container.HostConfig](): "AutoRemove CapDrop Cgroup ConsoleSize ContainerIDFile DNS DNSOptions DNSSearch ExtraHosts GroupAdd " +
			"Init Isolation OomScoreAdj PublishAllPorts ReadonlyRootfs RestartPolicy ShmSize StorageOpt Sysctls Tmpfs VolumeDriver",
		// These are limits. The supervisor sets CgroupParent.
		reflect.TypeFor[container.Resources](): "BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight BlkioWeightDevice " +
			"CPUCount CPUPercent CPUPeriod CPUQuota CPURealtimePeriod CPURealtimeRuntime CPUShares CgroupParent CpusetCpus CpusetMems " +
			"IOMaximumBandwidth IOMaximumIOps KernelMemory KernelMemoryTCP Memory MemoryReservation MemorySwap MemorySwappiness NanoCPUs OomKillDisable PidsLimit Ulimits",
		// The grants come from the policy itself. Credentials are those of the logins. User data can set neither Pin nor Run. VolumesFrom has
		// containers of the same source, with volumes that are theirs alone.
		reflect.TypeFor[spec.Container](): "Completes Config ContainerName Credentials DependsOn EnvGrants FileGrants Granted Name Networking Notify Pin Platform PullPolicy PullStallTimeout Reload Restart Run VolumesFrom",
		// Exec runs in the container, like a health check. The registry is judged by the image.
		reflect.TypeFor[spec.Update]():     "Check FailureAction Monitor Order PauseAfter Policy RollbackOrder Wariness Windows",
		reflect.TypeFor[spec.UpdateLock](): "Exec",
		reflect.TypeFor[spec.FleetLock]():  "Group HoldAfterFailure",
		// Identity is sent only to the registries of its cloud.
		reflect.TypeFor[spec.Registry]():   "Identity Password PasswordGrants Username",
		reflect.TypeFor[spec.Assignment](): "Warnings",
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
	// All mistakes are reported at once.
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

// A path is judged by where it leads. The message quotes the path as it was written.
func TestResolving(t *testing.T) {
	p := policy(t, "host_mounts: [/srv]").Resolving(func(name string) string { return strings.Replace(name, "/link", "/etc", 1) })
	err := p.Check(assign(t, "containers: {web: {image: nginx, volumes: ['/link/x:/x', '/srv/y:/y']}}"))
	want := "containers.web: a mount of /link/x, which is /etc/x, is not allowed here (rule host_mounts: [/srv] in /etc/dockhost/policy.yaml)"
	if err == nil || err.Error() != want {
		t.Errorf("Check() = %v, want %s", err, want)
	}
}

// The example that is shipped is valid.
func TestExampleIsValid(t *testing.T) {
	text, err := os.ReadFile("../../packaging/examples/policy.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	policy(t, string(text))
}

// The manual describes each rule, and no other.
func TestManualHasEachRule(t *testing.T) {
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

// The policy may forbid user data to change what the host removes.
func TestCheckHousekeeping(t *testing.T) {
	assignment := assign(t, "containers: {}\nhousekeeping: {images: all}")
	for text, want := range map[string]string{
		"housekeeping: true": "", "default: allow": "",
		"housekeeping: false": "housekeeping: to change what the host removes is not allowed here (rule housekeeping: false in /etc/dockhost/policy.yaml)",
		"default: deny":       "housekeeping: to change what the host removes is not allowed here (default: deny, and no rule housekeeping, in /etc/dockhost/policy.yaml)",
	} {
		got := ""
		if err := policy(t, text).Check(assignment); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("policy %q says %q, want %q", text, got, want)
		}
	}
}
