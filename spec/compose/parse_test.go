package compose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"

	"go.yaml.in/yaml/v4"
)

func TestParseEmptySection(t *testing.T) {
	for _, text := range []string{"dockhost: {}", "dockhost: {containers: }", "dockhost: {containers: {}, registries: }"} {
		assignment, err := parse(t, text)
		if err != nil || assignment.Containers == nil || len(assignment.Containers) > 0 || assignment.Registries != nil {
			t.Errorf("Parse(%q) = %+v, %v, want an empty assignment", text, assignment, err)
		}
	}
	if assignment, err := Parse(document.File("user-data"), nil); err != nil || len(assignment.Containers) > 0 {
		t.Errorf("Parse(nil) = %+v, %v, want an empty assignment", assignment, err)
	}
}

func TestProblemsHavePlaces(t *testing.T) {
	_, err := parse(t, "dockhost:\n  containers:\n    web: {image: nginx, ports: [\"70000:80\"]}\n  other: 1\n")
	var problems document.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("Parse() error = %v, want two problems", err)
	}
	var first *document.Problem
	if !errors.As(err, &first) {
		t.Fatalf("errors.As(%v, *Problem) = false", err)
	}
	want := document.Problem{File: "user-data", Line: 3, Column: 33, Path: "containers.web.ports[0]", Message: "cannot use port 70000: highest is 65535"}
	if *first != want {
		t.Errorf("first problem = %+v, want %+v", *first, want)
	}
	if got, want := first.Error(), "user-data:3:33 containers.web.ports[0]: cannot use port 70000: highest is 65535"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	text := "dockhost:\n  containers:\n    web:\n      image: nginx\n      x-a0: &a0 [" + canary + "]\n"
	for i := 1; i < 30; i++ {
		text += fmt.Sprintf("      x-a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	if _, err := parse(t, text); err == nil || !strings.Contains(err.Error(), "too large once its aliases are followed") {
		t.Errorf("Parse() error = %v, want one that says it is too large", err)
	}
}

// TestOddValues gives every key every kind of value. The result must be a problem
// or a container, even where compose-go would panic or ignore the value.
func TestOddValues(t *testing.T) {
	values := []string{
		"null", "''", "0", "1.5", "99999999999999999999", "true", "'a:b:c'", "'$$'", ".inf", "2026-01-01",
		"[]", "[null]", "[1.5]", "[{}]", "{a: null}", "{a: []}", "{x-a: b}", "['/a:/b', '/a:/b']",
	}
	special := map[string][]string{
		"deploy": {
			"{resources: null}", "{resources: {limits: []}}", "{resources: {reservations: {devices: [{}]}}}",
			"{resources: {reservations: {devices: [{capabilities: gpu}]}}}",
		},
		"gpus":        {"[{capabilities: [gpu], count: 1.5}]", "[{count: 99999999999999999999}]"},
		"healthcheck": {"{test: [1]}", "{retries: -1}", "{retries: 1.5}", "{interval: 1}", "{disable: []}"},
		"ports":       {"[{target: 1.5}]", "[{target: 80, published: [1]}]"},
		"ulimits":     {"{a: {soft: x, hard: []}}", "{a: {soft: 1.5, hard: 1.5}}", "{core: 1.5}"},
		"volumes":     {"[{type: bind}]", "[{type: tmpfs, target: /a, tmpfs: {size: 1.5, mode: x}}]", "[{type: bind, source: [], target: {}}]"},
	}
	for _, key := range serviceKeys().Names() {
		for _, value := range slices.Concat(values, special[key]) {
			text := fmt.Sprintf("dockhost: {containers: {web: {image: nginx, %s: %s}}}", key, value)
			if key == "image" {
				text = fmt.Sprintf("dockhost: {containers: {web: {image: %s}}}", value)
			}
			assignment, err := parse(t, text)
			if (assignment == nil) == (err == nil) {
				t.Errorf("Parse(%s) = %v, %v, want one of them", text, assignment, err)
			}
			if assignment != nil && len(assignment.Containers) > 0 {
				assignment.Containers[0].Hash()
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var file yaml.Node
		if yaml.Unmarshal(text, &file) != nil || len(file.Content) == 0 {
			return
		}
		node := file.Content[0]
		if len(node.Content) == 2 {
			node = node.Content[1]
		}
		assignment, err := Parse(document.File("user-data"), node)
		if (assignment == nil) == (err == nil) {
			t.Fatalf("Parse() = %v, %v, want one of them", assignment, err)
		}
		var problems document.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("Parse() error = %v, want Problems", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("problem %+v has no position or message", *p)
			}
		}
		if assignment == nil {
			return
		}
		for i := range assignment.Containers {
			assignment.Containers[i].Hash()
		}
	})
}

func BenchmarkParse(b *testing.B) {
	one := "dockhost:\n  containers:\n    web:\n      image: nginx:1.22\n      ports: [\"80:80\"]\n      environment:\n"
	for i := 0; len(one) < 16<<10; i++ {
		one += fmt.Sprintf("        VARIABLE_%d: %s\n", i, strings.Repeat("x", 100))
	}
	many := "dockhost:\n  containers:\n"
	for i := range 10 {
		many += fmt.Sprintf("    web%d:\n      image: nginx:1.22\n      ports: [\"%d:80\"]\n      environment: {A: b, C: d}\n"+
			"      volumes: [\"/srv:/srv:ro\", \"data:/data\"]\n      healthcheck: {test: [CMD, curl, localhost], interval: 5s}\n", i, 8000+i)
	}
	for name, text := range map[string]string{"16KiB": one, "10 containers": many} {
		b.Run(name, func(b *testing.B) {
			node := section(b, []byte(text))
			for b.Loop() {
				if _, err := Parse(document.File("user-data"), node); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
