package compose

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/spec"
)

var update = flag.Bool("update", false, "write the golden files")

// canary stands for a secret: no message may hold it.
const canary = "hunter2canary"

// section returns the mapping below `dockhost:`.
func section(tb testing.TB, text []byte) *yaml.Node {
	tb.Helper()
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		tb.Fatal(err)
	}
	top := file.Content[0]
	if len(top.Content) != 2 || top.Content[0].Value != "dockhost" {
		tb.Fatalf("want a mapping with the key dockhost alone")
	}
	return top.Content[1]
}

func parse(tb testing.TB, text string) (*spec.Assignment, error) {
	tb.Helper()
	return Parse(document.File("user-data"), section(tb, []byte(text)))
}

// service returns the only container of an assignment.
func parseService(tb testing.TB, lines ...string) *spec.Container {
	tb.Helper()
	text := "dockhost:\n  containers:\n    web:\n      image: nginx\n"
	for _, line := range lines {
		text += "      " + line + "\n"
	}
	assignment, err := parse(tb, text)
	if err != nil {
		tb.Fatal(err)
	}
	return &assignment.Containers[0]
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), write it with -update:\n%s", path, diff)
	}
}

// TestGood compares each good source with its golden assignment, and reads
// that back: the agent keeps assignments as JSON.
func TestGood(t *testing.T) {
	for path, text := range sources(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			assignment, err := parse(t, text)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.MarshalIndent(assignment, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".json", lean(t, raw))
			var back spec.Assignment
			if err := json.Unmarshal(raw, &back); err != nil {
				t.Fatal(err)
			}
			for i := range back.Containers {
				if got, want := back.Containers[i].Hash(), assignment.Containers[i].Hash(); got != want {
					t.Errorf("Hash() of %q after JSON = %q, want %q", back.Containers[i].Name, got, want)
				}
			}
		})
	}
}

// lean leaves out of JSON what is empty: most of the Engine's structs is.
func lean(t *testing.T, raw []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	thin, err := json.MarshalIndent(prune(value), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(thin) + "\n"
}

func prune(value any) any {
	mapping, ok := value.(map[string]any)
	if list, isList := value.([]any); isList {
		for i := range list {
			list[i] = prune(list[i])
		}
	}
	if !ok {
		return value
	}
	for key, inner := range mapping {
		switch v := inner.(type) {
		case nil:
			delete(mapping, key)
		case string:
			if v == "" && key[:1] == strings.ToUpper(key[:1]) && key[0] != '/' {
				delete(mapping, key)
			}
		case float64:
			if v == 0 && key != "StopTimeout" {
				delete(mapping, key)
			}
		case bool:
			if !v && key != "Init" && key != "required" {
				delete(mapping, key)
			}
		case []any:
			if key == "ConsoleSize" {
				delete(mapping, key)
			} else {
				prune(v)
			}
		default:
			mapping[key] = prune(inner)
		}
	}
	return mapping
}

// TestBad compares the problems of each bad source with the golden ones.
func TestBad(t *testing.T) {
	for path, text := range sources(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if !strings.Contains(text, canary) {
				t.Fatalf("no secret %q in it", canary)
			}
			assignment, err := parse(t, text)
			if err == nil {
				t.Fatalf("Parse() = %+v, want an error", assignment)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("Parse() error shows a secret: %v", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

// TestBadWithSecrets puts a secret into every bad value that a message must
// not repeat.
func TestBadWithSecrets(t *testing.T) {
	tests := []string{
		"containers: {web: {image: nginx, environment: {A: [" + canary + "]}}}",
		"containers: {web: {image: nginx, environment: {A: {b: " + canary + "}}}}",
		"containers: {web: {image: nginx, environment: {A: $" + canary + "}}}",
		"containers: {web: {image: nginx, environment: {A: '${" + canary + "}'}}}",
		"containers: {web: {image: nginx, environment: {A: 'x${" + canary + "'}}}",
		"containers: {web: {image: nginx, environment: ['=" + canary + "']}}",
		"containers: {web: {image: nginx, environment: [{A: " + canary + "}]}}",
		"containers: {web: {image: nginx, environment: " + canary + "}}",
		"containers: {web: {image: nginx, environment: {A: !!int " + canary + "}}}",
		"containers: {web: {image: nginx, environment: {A: !x " + canary + "}}}",
		"containers: {web: {image: nginx, command: {A: " + canary + "}}}",
		"containers: {web: {image: nginx, command: [[" + canary + "]]}}",
		"containers: {web: {image: nginx, command: \"echo '" + canary + "\"}}",
		"containers: {web: {image: nginx, healthcheck: {test: [CMD, [" + canary + "]]}}}",
		"containers: {web: {image: nginx, healthcheck: {test: [" + canary + "]}}}",
		"containers: {web: {image: nginx, logging: {options: {a: [" + canary + "]}}}}",
		"containers: {web: {image: nginx, labels: {a: [" + canary + "]}}}",
		"containers: {web: {image: nginx, x-dockhost: {unit: {Service: {Environment: \"A=" + canary + "\\n\"}}}}}",
		"containers: {web: {image: nginx, x-dockhost: {notify: 'http://user:" + canary + "@:80/'}}}",
		"containers: {web: {image: nginx, x-dockhost: {reload: {exec: [a, [" + canary + "]]}}}}",
		"registries: {localhost: {username: [" + canary + "], password: {" + "a: " + canary + "}}}",
		"registries: {localhost: " + canary + "}",
		"registries: " + canary,
		"registries: ['" + canary + "']",
		"registries: {https://user:" + canary + "@localhost: {username: a, password: b}}",
		"registries: {localhost: {username: a, password: b, token: " + canary + "}}",
		"registries: {localhost: {username: a, password: !x " + canary + "}}",
		canary,
	}
	for _, text := range tests {
		assignment, err := parse(t, "dockhost: "+wrap(text))
		if err == nil {
			t.Errorf("Parse(%s) = %+v, want an error", text, assignment)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("Parse(%s) error shows the secret: %v", text, err)
		}
	}
}

func wrap(text string) string {
	if text == canary {
		return text
	}
	return "{" + text + "}"
}

func sources(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources in testdata/%s: %v", dir, err)
	}
	texts := make(map[string]string, len(paths))
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(raw)
	}
	return texts
}

func TestParseNothing(t *testing.T) {
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

func TestProblems(t *testing.T) {
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

func TestAliasBomb(t *testing.T) {
	text := "dockhost:\n  containers:\n    web:\n      image: nginx\n      x-a0: &a0 [" + canary + "]\n"
	for i := 1; i < 30; i++ {
		text += fmt.Sprintf("      x-a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1)
	}
	if _, err := parse(t, text); err == nil || !strings.Contains(err.Error(), "too large once its aliases are followed") {
		t.Errorf("Parse() error = %v, want one that says it is too large", err)
	}
}

func TestSubstitute(t *testing.T) {
	tests := []struct {
		in, want string
		bad      bool
	}{
		{in: "plain", want: "plain"},
		{in: "a$$b", want: "a$b"},
		{in: "$$$$", want: "$$"},
		{in: "${A:-b}", want: "b"},
		{in: "${A-b}c", want: "bc"},
		{in: "${A:-}", want: ""},
		{in: "${A:-${B:-c}}d", want: "cd"},
		{in: "${A:-$$}", want: "$"},
		{in: "${A:+b}", want: ""},
		{in: "${A+b}", want: ""},
		{in: "$1", want: "$1"},
		{in: "$", want: "$"},
		{in: "a$ b", want: "a$ b"},
		{in: "${A:-{}}", want: "{}"},
		{in: "$A", bad: true},
		{in: "$_a", bad: true},
		{in: "${A}", bad: true},
		{in: "${A:?b}", bad: true},
		{in: "${A?}", bad: true},
		{in: "${}", bad: true},
		{in: "${A", bad: true},
		{in: "${A:-$B}", bad: true},
		{in: "${1:-b}", bad: true},
		{in: "${A:b}", bad: true},
	}
	for _, tt := range tests {
		got, err := substitute(tt.in)
		if got != tt.want && err == nil || (err != nil) != tt.bad {
			t.Errorf("substitute(%q) = %q, %v, want %q, error %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

// TestOddValues gives every key every kind of value: what compose-go would
// panic on or read as nothing must come out as a problem or as a container.
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
			if assignment != nil {
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
