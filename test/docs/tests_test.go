package docs

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	quadKey  = regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z0-9]+)` \\|[^\n]*`TestQuadletKeys`")
	quadCase = regexp.MustCompile(`(?m)^\t\{"([A-Z][A-Za-z0-9]+)", "`)
)

// TestNamedTests checks that every test that a page of docs names exists.
func TestNamedTests(t *testing.T) {
	existing := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		maps.Copy(existing, names(testFunc, string(raw)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range pages {
		page, _ = filepath.Rel(root, page)
		for name := range names(testName, read(t, page)) {
			named++
			if !existing[name] {
				t.Errorf("%s names %s, but there is no such test", page, name)
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test")
	}
}

// TestQuadletKeys checks that the keys of quadlets that a page calls tested are tested.
func TestQuadletKeys(t *testing.T) {
	const page = "docs/systemd-docker.md"
	documented, tested := names(quadKey, read(t, page)), names(quadCase, read(t, "test/e2e/quadlet_test.go"))
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
