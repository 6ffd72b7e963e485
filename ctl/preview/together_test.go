package preview

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/assignment"
)

// Files that clash on a host clash in validate, with the words of the agent.
func TestValidateTogether(t *testing.T) {
	dir := t.TempDir()
	open := func(name, text string) *Input {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Open(path, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	messages := func(inputs ...*Input) string {
		report := Validate(t.Context(), assignment.Options{}, inputs...)
		var lines []string
		for _, f := range report.Findings {
			lines = append(lines, strings.ReplaceAll(f.String(), dir+"/", ""))
		}
		if !report.Well {
			t.Errorf("Validate() is not well: %s", strings.Join(lines, "\n"))
		}
		return strings.Join(lines, "\n")
	}
	web := open("web.yaml", "services: {web: {image: nginx, ports: ['80:80']}}")
	other := open("app.yaml", "services: {web: {image: caddy}, app: {image: caddy, ports: ['80:80']}}")
	userData := open("user-data", "#cloud-config\ndockhost: {containers: {web: {image: httpd}}}\n")
	want := `web.yaml: warning: container "web" is declared by app.yaml, and by web.yaml, too: the first counts (take it out there)`
	if got := messages(web, other); got != want {
		t.Errorf("Validate(web, app) =\n%s\nwant\n%s", got, want)
	}
	if got := messages(web, userData); !strings.Contains(got, "declared by user-data, and by web.yaml, too") {
		t.Errorf("Validate(web, user-data) =\n%s", got)
	}
	// The files of two hosts.
	if got := messages(web, open("b/web.yaml", "services: {web: {image: nginx}}")); got != "" {
		t.Errorf("Validate(web, b/web) =\n%s\nwant nothing", got)
	}
}
