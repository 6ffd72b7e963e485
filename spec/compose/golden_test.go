package compose

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/spec"
)

var rewrite = flag.Bool("update", false, "write the golden files")

// canary is a secret: no message may contain it.
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
		tb.Fatalf("want a mapping with only the key dockhost")
	}
	return top.Content[1]
}

func parse(tb testing.TB, text string) (*spec.Assignment, error) {
	tb.Helper()
	return Parse(document.File("user-data"), section(tb, []byte(text)))
}

// parseService parses a service with the image nginx and more lines.
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
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; -update writes it):\n%s", path, diff)
	}
}

// TestGood compares each good source with its golden assignment. It also reads the
// JSON back, as the agent does with a stored assignment.
func TestGood(t *testing.T) {
	for path, text := range examples(t, "good") {
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

// lean removes empty fields from JSON; most fields of Docker's structs are empty.
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
	for path, text := range examples(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if !strings.Contains(text, canary) {
				t.Fatalf("no secret %q in it", canary)
			}
			assignment, err := parse(t, text)
			if err == nil {
				t.Fatalf("Parse() = %+v, want an error", assignment)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("Parse() error contains a secret: %v", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

func examples(t *testing.T, dir string) map[string]string {
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
