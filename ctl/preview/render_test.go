package preview

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

var update = flag.Bool("update", false, "write the golden files")

// canary is a secret in user data.
const canary = "hunter2canary"

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", name, diff)
	}
}

func render(t *testing.T, o RenderOptions) *Rendering {
	t.Helper()
	in, err := Open("testdata/rich.yaml", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	r, all, err := Render(t.Context(), in, o)
	if err != nil || len(all) > 0 {
		t.Fatalf("Render() = %v, %v", all, err)
	}
	return r
}

func printed(t *testing.T, print func(*bytes.Buffer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRender(t *testing.T) {
	for name, o := range map[string]RenderOptions{
		"rich.txt":       {SystemdVersion: 257},
		"rich-web.txt":   {SystemdVersion: 252, Names: []string{"web"}},
		"rich-shown.txt": {SystemdVersion: 257, Names: []string{"web"}, ShowEnv: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := render(t, o)
			got := printed(t, func(out *bytes.Buffer) error { return r.Print(out) })
			golden(t, name, got)
			if o.ShowEnv != strings.Contains(got, canary) {
				t.Errorf("the output has the secret: %v, want %v", !o.ShowEnv, o.ShowEnv)
			}
		})
	}
	r := render(t, RenderOptions{SystemdVersion: 257})
	got := printed(t, func(out *bytes.Buffer) error { return r.PrintJSON(out) })
	golden(t, "rich.json", got)
	if strings.Contains(got, canary) {
		t.Error("the JSON has a secret")
	}
}

func TestRenderRefusesProblemsAndUnknownNames(t *testing.T) {
	in, err := Open("-", strings.NewReader("services: {web: {}}"), false)
	if err != nil {
		t.Fatal(err)
	}
	if r, all, err := Render(t.Context(), in, RenderOptions{}); r != nil || len(all) != 1 || err != nil {
		t.Errorf("Render() = %v, %v, %v, want one finding", r, all, err)
	}
	in, _ = Open("testdata/rich.yaml", nil, false)
	for name, want := range map[string]string{"wep": `did you mean "web"?`, "cache": "it has: db, web"} {
		if _, _, err := Render(t.Context(), in, RenderOptions{Names: []string{name}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Render() = %v, want %s", err, want)
		}
	}
}

func TestMaskedSetting(t *testing.T) {
	for value, want := range map[string]string{
		"A=" + canary: "A=***", `"A=` + canary + ` x" B=y`: "A=***", "token:" + canary: "token:***", canary: "***", "=" + canary: "***",
	} {
		if got := maskedSetting(value); got != want {
			t.Errorf("maskedSetting(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestWatchdog(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0.5": time.Second / 2, "1min 30s": 90 * time.Second, "100ms": 100 * time.Millisecond,
		"2 minutes": 2 * time.Minute, "infinity": 0, "": 0, "0": 0,
	} {
		if got := watchdog([]spec.UnitSetting{{Section: "Service", Key: "WatchdogSec", Value: value}}); got != want {
			t.Errorf("watchdog(%q) = %v, want %v", value, got, want)
		}
	}
}
