package preview

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rendered settings can be written in user data again, and mean the same.
func TestRenderedHousekeepingCanBeWrittenAgain(t *testing.T) {
	render := func(written string) string {
		path := filepath.Join(t.TempDir(), "user-data")
		if err := os.WriteFile(path, []byte("#cloud-config\ndockhost:\n  containers: {web: {image: nginx}}\n  housekeeping: "+written+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Open(path, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		r, findings, err := Render(t.Context(), in, RenderOptions{SystemdVersion: 257})
		if err != nil || len(findings) > 0 {
			t.Fatalf("Render(housekeeping: %s) = %v, %v", written, findings, err)
		}
		raw, err := json.Marshal(r.Housekeeping)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	tests := map[string]string{
		"":           `null`,
		"off":        `"off"`,
		"{}":         `{}`,
		"{high: 90}": `{"high":"90%","low":"70%"}`,
		"{images: all, containers: off, min_age: 0s, max_age: off, keep_last: 3, max_removals: 5, interval: 90m, build_cache: 36h}": `{"build_cache":"36h",` +
			`"containers":"off","images":"all","interval":"1h30m","keep_last":3,"max_age":"off","max_removals":5,"min_age":"0s"}`,
		"{networks: unused, volumes: off, keep: base/*, min_age: 2d}": `{"keep":["base/*"],"min_age":"2d","networks":"unused","volumes":"off"}`,
	}
	for written, want := range tests {
		got := render(written)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("housekeeping: %s is rendered as (-want +got):\n%s", written, diff)
		}
		if again := render(got); again != got {
			t.Errorf("housekeeping: %s, written again, is rendered as %s", got, again)
		}
	}
}
