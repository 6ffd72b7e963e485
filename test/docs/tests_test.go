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

// TestNamedTests checks that every end-to-end test that a page names exists, and
// that the keys of quadlets that it calls tested are tested.
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
	existing := names(testFunc, source.String())
	for name := range names(testName, text) {
		if !existing[name] {
			t.Errorf("%s names %s, but there is no such end-to-end test", page, name)
		}
	}
	documented, tested := names(quadKey, text), names(quadCase, read(t, "test/e2e/quadlet_test.go"))
	for key := range documented {
		if !tested[key] {
			t.Errorf("%s says that the key %s is tested, but it is not", page, key)
		}
	}
	for key := range tested {
		if !documented[key] {
			t.Errorf("%s lacks the key %s", page, key)
		}
	}
}

// names returns the set of all matches of a pattern's group.
func names(pattern *regexp.Regexp, text string) map[string]bool {
	set := map[string]bool{}
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		set[m[1]] = true
	}
	return set
}
