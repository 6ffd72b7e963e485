package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/compose"
)

// TestUserData parses each piece of user data in the pages with the agent's own
// parsers. A piece that is marked as wrong must have the problems that the page
// shows below it.
func TestUserData(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			if b.language != "yaml" || !strings.Contains(b.text, "dockhost:") {
				continue
			}
			count++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) {
				read, want := problems, []string{}
				if strings.HasPrefix(b.text, "services:") {
					read = problemsOfFile
				}
				got := read(t, b.text)
				if slices.Contains(b.marks, "wrong") {
					want = shownProblems(b.after)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("problems (-the page, +the program):\n%s", diff)
				}
			})
		}
	}
	if count < 3 {
		t.Errorf("found %d pieces of user data, want at least 3", count)
	}
}

// TestPolicies parses each policy in the pages as the agent does.
func TestPolicies(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			if !slices.Contains(b.marks, "policy") {
				continue
			}
			count++
			if _, err := policy.Parse(page, []byte(b.text)); err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
			}
		}
	}
	if count == 0 {
		t.Error("found no policy in the pages")
	}
}

var problem = regexp.MustCompile(`(?m)^ +(?:problem: +)?(user-data:\d+:\d+.*)$`)

// shownProblems returns the problems that a page shows.
func shownProblems(text string) []string {
	var lines []string
	for _, m := range problem.FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	return lines
}

// problemsOfFile returns what is wrong with a Compose file.
func problemsOfFile(_ *testing.T, text string) []string {
	node, err := document.Parse("web.yaml", []byte(text))
	if err == nil {
		_, err = compose.ParseFile(document.File("web.yaml"), node, "web", compose.Directory{})
	}
	if err == nil {
		return []string{}
	}
	return strings.Split(err.Error(), "\n")
}

// problems returns what is wrong with user data.
func problems(t *testing.T, userData string) []string {
	t.Helper()
	data := cloudinit.UserData{Path: "user-data", Raw: []byte(userData)}
	section, err := data.Section(t.Context(), cloudinit.Options{})
	if err == nil && section.Node == nil {
		t.Fatal("the user data has no section dockhost")
	}
	if err == nil {
		_, err = compose.Parse(section.Source, section.Node)
	}
	if err == nil {
		return []string{}
	}
	return strings.Split(err.Error(), "\n")
}
