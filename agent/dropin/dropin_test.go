package dropin

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestRender(t *testing.T) {
	grace := 30
	c := &spec.Container{
		Name: "web", Image: "registry/100%:1", Restart: "on-failure", Config: &container.Config{StopTimeout: &grace},
		DependsOn: []spec.Dependency{{Name: "db", Joined: true}, {Name: "cache"}},
		Unit: []spec.UnitSetting{
			{Section: "Service", Key: "MemoryMax", Value: "512M"},
			{Section: "Unit", Key: "OnFailure", Value: "alert@%n.service"},
			{Section: "Service", Key: "TimeoutStopSec", Value: "5"},
		},
	}
	want := `# Written by dockhost.service. Do not edit: it is replaced when the declaration changes.
[Unit]
After=dockhost@db.service
Requires=dockhost@db.service
After=dockhost@cache.service
Wants=dockhost@cache.service
OnFailure=alert@%n.service

[Service]
TimeoutStopSec=40
Restart=on-failure
Delegate=cpuacct blkio devices
RestartSteps=6
RestartMaxDelaySec=1min
DelegateSubgroup=supervisor
MemoryMax=512M
TimeoutStopSec=5
`
	if diff := cmp.Diff(want, rendered(t, c, 257)); diff != "" {
		t.Errorf("Render() (-want +got):\n%s", diff)
	}
	for version, want := range map[int]string{
		247: "[Service]\nTimeoutStopSec=20\nDelegate=cpuacct blkio devices\n",
		258: "[Service]\nTimeoutStopSec=20\nRestartSteps=6\nRestartMaxDelaySec=1min\nDelegateSubgroup=supervisor\n",
	} {
		plain := &spec.Container{Name: "web", Image: "web:1", Config: &container.Config{}}
		if got := rendered(t, plain, version); !strings.HasSuffix(got, want) {
			t.Errorf("Render() for systemd %d = %s, want it to end in %s", version, got, want)
		}
	}
}

// A unit whose file systems are read-only leaves the supervisor its own directory.
func TestReadOnlyUnit(t *testing.T) {
	for setting, want := range map[string]bool{"ProtectSystem=strict": true, "ProtectSystem=full": false, "ReadOnlyPaths=/": true, "PrivateTmp=yes": false} {
		key, value, _ := strings.Cut(setting, "=")
		c := &spec.Container{Name: "web", Config: &container.Config{}, Unit: []spec.UnitSetting{{Section: "Service", Key: key, Value: value}}}
		if got := strings.HasSuffix(rendered(t, c, 257), setting+"\nReadWritePaths=/run/dockhost\n"); got != want {
			t.Errorf("Render() with %s ends in ReadWritePaths=/run/dockhost: %v, want %v", setting, got, want)
		}
	}
}

// Only the supervisor of a container with GPUs may prepare them, and only one that
// probes may enter namespaces. The user's settings still win.
func TestPrivileges(t *testing.T) {
	c := &spec.Container{Name: "web", Config: &container.Config{}, Unit: []spec.UnitSetting{{Section: "Service", Key: "SystemCallFilter", Value: "~@module"}}}
	if got := rendered(t, c, 257); strings.Contains(got, "CAP_") {
		t.Errorf("Render() = %s, want no capabilities", got)
	}
	c.Notify, c.GPU = "tcp:80", &spec.GPUNeeds{}
	got := rendered(t, c, 257)
	if at := strings.Index(got, settingsProbe+settingsGPU); at < 0 || at > strings.Index(got, "~@module") {
		t.Errorf("Render() with probes and GPUs = %s, want %s before the user's settings", got, settingsProbe+settingsGPU)
	}
}

// Notify modes and reloads decide the type of the unit.
func TestServiceType(t *testing.T) {
	reload := &spec.Reload{Signal: "HUP"}
	tests := []struct {
		notify  spec.Notify
		reload  *spec.Reload
		version int
		want    string
	}{
		{spec.NotifyStarted, nil, 257, ""},
		{spec.NotifyHealthy, reload, 257, "Type=notify-reload\n"},
		{spec.NotifyContainer, reload, 253, "Type=notify-reload\n"},
		{"tcp:80", reload, 252, "ExecReload=/bin/kill -HUP $MAINPID\n"},
		{spec.NotifyOff, nil, 257, "Type=exec\n"},
		{spec.NotifyOff, reload, 257, "Type=exec\nExecReload=/bin/kill -HUP $MAINPID\n"},
	}
	for _, test := range tests {
		c := &spec.Container{Name: "web", Notify: test.notify, Reload: test.reload, Config: &container.Config{}}
		if got := serviceType(c, test.version); got != test.want {
			t.Errorf("serviceType(notify %s, reload %v, systemd %d) = %q, want %q", test.notify, test.reload, test.version, got, test.want)
		}
		if text := rendered(t, c, test.version); !strings.Contains(text, test.want) {
			t.Errorf("Render() = %q, want %q in it", text, test.want)
		}
	}
}

// systemd 254 and later finds both kinds of credentials.
func TestCredentials(t *testing.T) {
	c := &spec.Container{Name: "web", Credentials: []string{"plain", "sealed"}, Config: &container.Config{}}
	for version, want := range map[int]string{
		252: "\nLoadCredential=plain\nLoadCredentialEncrypted=sealed\n", 257: "\nImportCredential=plain\nImportCredential=sealed\n",
	} {
		if got := rendered(t, c, version, "sealed"); !strings.Contains(got, want) {
			t.Errorf("Render() for systemd %d = %s, want %s", version, got, want)
		}
	}
}

// A container that completes has a oneshot unit, and those that wait for it require
// that unit.
func TestCompletes(t *testing.T) {
	migrate := &spec.Container{Name: "migrate", Image: "x", Restart: "on-failure", Completes: true, Config: &container.Config{}}
	for version, want := range map[int]string{
		252: "Restart=on-failure\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\nDelegate",
		257: "Restart=on-failure\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=infinity\nRestartMode=direct\nDelegate",
	} {
		if got := rendered(t, migrate, version); !strings.Contains(got, want) {
			t.Errorf("Render() for systemd %d = %s, want %s", version, got, want)
		}
	}
	app := &spec.Container{Name: "app", Image: "x", Config: &container.Config{}, DependsOn: []spec.Dependency{
		{Name: "migrate", Condition: spec.ConditionCompleted},
		{Name: "seed", Condition: spec.ConditionCompleted, Optional: true},
		{Name: "db", Condition: spec.ConditionHealthy, Restart: true},
	}}
	want := "After=dockhost@migrate.service\nRequires=dockhost@migrate.service\nAfter=dockhost@seed.service\nWants=dockhost@seed.service\n" +
		"After=dockhost@db.service\nWants=dockhost@db.service\nPartOf=dockhost@db.service\n"
	if got := rendered(t, app, 257); !strings.Contains(got, want) {
		t.Errorf("Render() = %s, want %s", got, want)
	}
}

// The drop-in of all containers has what a running container on cgroup v1 must not
// lose, and the container's own drop-in does not hide it.
func TestTemplate(t *testing.T) {
	if got := string(Template(257)); !strings.Contains(got, settingsV1) {
		t.Errorf("Template(257) = %q, want %q in it", got, settingsV1)
	}
	if got := Template(258); got != nil {
		t.Errorf("Template(258) = %q, want none", got)
	}
	if filepath.Base(TemplatePath) == filepath.Base(Path("web")) {
		t.Errorf("TemplatePath = %s has the name of %s", TemplatePath, Path("web"))
	}
}

func rendered(t *testing.T, c *spec.Container, version int, encrypted ...string) string {
	t.Helper()
	text, err := Render(c, version, encrypted...)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// No value of a declaration ends its line: what follows it would be a setting that
// nobody has allowed.
func TestRenderRefusesMoreLines(t *testing.T) {
	injected := "x\nExecStartPre=/bin/evil"
	for name, change := range map[string]func(c *spec.Container){
		"a credential":  func(c *spec.Container) { c.Credentials = []string{injected} },
		"a mount point": func(c *spec.Container) { c.Mounts = []spec.Mount{{What: "/dev/sdb", Where: injected}} },
		"Restart=":      func(c *spec.Container) { c.Restart = injected },
		"a dependency":  func(c *spec.Container) { c.DependsOn = []spec.Dependency{{Name: injected}} },
		"a value": func(c *spec.Container) {
			c.Unit = []spec.UnitSetting{{Section: "Service", Key: "Nice", Value: injected}}
		},
		"a carriage return": func(c *spec.Container) { c.Unit = []spec.UnitSetting{{Section: "Unit", Key: "Nice", Value: "1\r2"}} },
		"a last backslash":  func(c *spec.Container) { c.Unit = []spec.UnitSetting{{Section: "Service", Key: "Nice", Value: `1\`}} },
		"a name of a setting": func(c *spec.Container) {
			c.Unit = []spec.UnitSetting{{Section: "Service", Key: "ExecStartPre=/bin/evil\nNice", Value: "1"}}
		},
	} {
		c := &spec.Container{Name: "web", Image: "nginx", Config: &container.Config{}}
		if _, err := Render(c, 257); err != nil {
			t.Fatalf("Render() = %v", err)
		}
		change(c)
		if text, err := Render(c, 257); err == nil {
			t.Errorf("Render() with more lines in %s = %q, want an error", name, text)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("nginx", "name", "/srv", "Nice", "1")
	f.Add("a\nb", "c\x00", "/d\\", "E=", "\u2028")
	f.Fuzz(func(t *testing.T, image, credential, where, key, value string) {
		c := &spec.Container{
			Name: "web", Image: image, Config: &container.Config{}, Credentials: []string{credential},
			Mounts: []spec.Mount{{What: "/dev/sdb", Where: where}}, Unit: []spec.UnitSetting{{Section: "Service", Key: key, Value: value}},
		}
		text, err := Render(c, 257)
		if err != nil {
			return
		}
		plain, err := Render(&spec.Container{
			Name: "web", Image: "nginx", Config: &container.Config{}, Credentials: []string{"name"},
			Mounts: []spec.Mount{{What: "/dev/sdb", Where: "/srv"}}, Unit: []spec.UnitSetting{{Section: "Service", Key: "Nice", Value: "1"}},
		}, 257)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Count(string(text), "\n"), strings.Count(string(plain), "\n"); got > want+1 { // ReadWritePaths=
			t.Errorf("Render() has %d lines, want at most %d: %q", got, want+1, text)
		}
	})
}
