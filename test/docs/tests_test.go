package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z]+)\(`)
	quadKey  = regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z0-9]+)` \\|[^\n]*`TestQuadletKeys`")
	quadCase = regexp.MustCompile(`(?m)^\t\{"([A-Z][A-Za-z0-9]+)", "`)
)

// TestNamedTests has every end-to-end test that a page names be there, and the
// keys of quadlets that a page says are tested be tested.
func TestNamedTests(t *testing.T) {
	const page = "docs/systemd-docker.md"
	files, err := filepath.Glob(filepath.Join(root, "test/e2e/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(raw)
	}
	text := read(t, page)
	there := names(testFunc, source.String())
	for name := range names(testName, text) {
		if !there[name] {
			t.Errorf("%s names %s, which is no end-to-end test", page, name)
		}
	}
	documented, tested := names(quadKey, text), names(quadCase, read(t, "test/e2e/quadlet_test.go"))
	for key := range documented {
		if !tested[key] {
			t.Errorf("%s says that the key %s is tested", page, key)
		}
	}
	for key := range tested {
		if !documented[key] {
			t.Errorf("%s lacks the key %s", page, key)
		}
	}
}

// names is the set of what a pattern's group finds.
func names(pattern *regexp.Regexp, text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	return found
}
