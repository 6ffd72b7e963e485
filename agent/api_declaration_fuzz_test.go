package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/dropin"
)

// What the API accepts as a declaration has no line of its own in the files that are made
// of it.
func FuzzDeclaration(f *testing.F) {
	c := local("web", "nginx:1")
	raw, err := json.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("web", string(raw))
	for _, change := range []string{`"Mounts":[{"what":"/dev/sdb"}],`, `"Unit":[{"section":"Service","key":"A\nB","value":"x"}],`, `"restart":"always",`, `"Credentials":["a\n[Service]"],`} {
		f.Add("web", "{"+change+string(raw[1:]))
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader(body))
		if err != nil {
			return
		}
		c, err := readDeclaration(request)
		if err != nil || checkLocal(name, c) != nil {
			return
		}
		normalize(c)
		text, err := dropin.Render(c, 257)
		if err != nil {
			t.Fatalf("Render() = %v for a declaration that was accepted: %s", err, body)
		}
		for line := range strings.Lines(string(text)) {
			if key, _, _ := strings.Cut(strings.TrimSpace(line), "="); strings.HasPrefix(key, "Exec") || strings.ContainsAny(key, "\x00\r") {
				t.Errorf("the drop-in has the line %q", line)
			}
		}
	})
}
