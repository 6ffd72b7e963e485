package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	indented = regexp.MustCompile(`(?m)^    .*$`)
	makeCall = regexp.MustCompile(`(?m)(?:^|[ (&|;])make ((?:[A-Z_]+=\S+ )*)([a-z][a-z0-9-]*)`)
	target   = regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## `)
)

// code returns all code of a page: blocks, indented lines and spans.
func code(text string) string {
	parts := slices.Concat(indented.FindAllString(text, -1), spans(fence.ReplaceAllString(text, "")))
	for _, b := range blocks(text) {
		parts = append(parts, b.text)
	}
	return strings.Join(parts, "\n")
}

// TestMakeTargets checks that each `make TARGET` in the pages is a target, and
// that HACKING.md names each target that has a help line.
func TestMakeTargets(t *testing.T) {
	var targets []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	named := map[string]bool{}
	for _, page := range pages(t) {
		for _, m := range makeCall.FindAllStringSubmatch(code(read(t, page)), -1) {
			if !slices.Contains(targets, m[2]) {
				t.Errorf("%s says make %s, but the Makefile has no such target", page, m[2])
			}
			named[m[2]] = named[m[2]] || page == "HACKING.md"
		}
	}
	for _, name := range targets {
		if !named[name] {
			t.Errorf("HACKING.md does not name make %s", name)
		}
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unslug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinks checks that each link to a file of the repository, or to a section
// of a page, has a target.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			to, err := url.Parse(m[1])
			if err != nil || to.Scheme != "" {
				continue
			}
			name := page
			if to.Path != "" {
				name = filepath.Join(filepath.Dir(page), to.Path)
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
				continue
			}
			if to.Fragment != "" && !slices.Contains(anchors(read(t, name)), to.Fragment) {
				t.Errorf("%s links to %s: %s has no such section", page, m[1], name)
			}
		}
	}
}

// anchors returns the names of the sections as links spell them.
func anchors(text string) []string {
	var names []string
	for _, m := range title.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := unslug.ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestReadme checks that the README fits on one screen of a browser, shows the
// picture, and names the two commands to try dockhost.
func TestReadme(t *testing.T) {
	const maxLines = 130
	text := read(t, "README.md")
	if lines := strings.Count(text, "\n"); lines > maxLines {
		t.Errorf("the README has %d lines, want at most %d", lines, maxLines)
	}
	for _, part := range []string{"](docs/overview.svg)", "\n    make demo ", "\n    make test "} {
		if !strings.Contains(text, part) {
			t.Errorf("the README lacks %q", part)
		}
	}
}
