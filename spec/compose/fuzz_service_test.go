package compose

import (
	"errors"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

// FuzzService gives two keys of a small service any value, so that most of what it tries
// reaches the code for these keys.
func FuzzService(f *testing.F) {
	keys := serviceKeys().Names()
	values := []string{
		"null", "''", "1.5", "99999999999999999999", "'a:b:c'", "'$$'", "2026-01-01", "[null]", "[{}]", "{a: null}", "{x-a: b}",
		"['80:80', '8000-8009:8000-8009/udp']", "['/a:/b:ro,z', 'data:/c']", "[{type: bind, source: /a, target: /b}]",
		"{test: [CMD, x], interval: 5s, retries: 3}", "{resources: {limits: {memory: 1g}}}", "['A=b', 'C']", "10s", "{nofile: {soft: 1, hard: 2}}",
	}
	for i := range keys {
		f.Add(uint8(i), uint8(i+1), values[i%len(values)], values[(i+7)%len(values)])
	}
	f.Fuzz(func(t *testing.T, first, second uint8, a, b string) {
		if len(a)+len(b) > 256 {
			return
		}
		service := map[string]any{"image": "nginx"}
		for key, text := range map[uint8]string{first: a, second: b} {
			var value any
			if yaml.Unmarshal([]byte(text), &value) != nil {
				return
			}
			service[keys[int(key)%len(keys)]] = value
		}
		text, err := yaml.Marshal(map[string]any{"containers": map[string]any{"web": service}})
		if err != nil {
			return
		}
		var file yaml.Node
		if yaml.Unmarshal(text, &file) != nil || len(file.Content) == 0 {
			return
		}
		assignment, err := Parse(document.File("user-data"), file.Content[0])
		var problems document.Problems
		if (assignment == nil) == (err == nil) || err != nil && !errors.As(err, &problems) {
			t.Fatalf("Parse(%s) = %v, %v, want an assignment, or problems", text, assignment, err)
		}
		if assignment != nil {
			for i := range assignment.Containers {
				assignment.Containers[i].Hash()
			}
		}
	})
}
