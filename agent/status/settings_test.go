package status

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

func TestSettingsProblem(t *testing.T) {
	c := &spec.Container{Name: "web", Image: "nginx:1", Config: &container.Config{}, Credentials: []string{"sealed"}}
	path, text := dropin.Path("web"), rendered(t, c, 257)
	loaded := systemd.Unit{Name: "dockhost@web.service", LoadState: "loaded", DropIns: []string{path}}
	tests := []struct {
		name, onDisk string
		unit         systemd.Unit
		version      int
		want         string
	}{
		{"well", text, loaded, 257, ""},
		{"with an encrypted credential", rendered(t, c, 252, "sealed"), loaded, 252, ""},
		{"no answer of systemd", "", systemd.Unit{}, 0, ""},
		{"removed", "", loaded, 257, "cannot be read (run: systemctl reload dockhost)"},
		{"changed", text + "MemoryMax=1\n", loaded, 257, "has changed " + path},
		{"not used", text, systemd.Unit{LoadState: "loaded"}, 257, "does not use " + path},
		{"masked", text, systemd.Unit{Name: "dockhost@web.service", LoadState: "masked"}, 257, "run: systemctl unmask dockhost@web.service"},
	}
	for _, test := range tests {
		g := Gatherer{Root: t.TempDir()}
		for file, text := range map[string]string{"/etc/credstore.encrypted/sealed": "x", path: test.onDisk} {
			if text == "" {
				continue
			}
			if err := os.MkdirAll(filepath.Join(g.Root, filepath.Dir(file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(g.Root, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := g.settingsProblem(c, test.unit, test.version)
		if got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
			t.Errorf("%s: settingsProblem() = %q, want %q in it", test.name, got, test.want)
		}
	}
}

func rendered(t *testing.T, c *spec.Container, version int, encrypted ...string) string {
	t.Helper()
	text, err := dropin.Render(c, version, encrypted...)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
