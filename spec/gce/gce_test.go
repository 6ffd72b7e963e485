package gce

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/compose"
)

var update = flag.Bool("update", false, "write the golden files")

// canary is a secret: no message may contain it.
const canary = "hunter2canary"

func sources(tb testing.TB, kind string) map[string]string {
	tb.Helper()
	paths, err := filepath.Glob("testdata/" + kind + "/*.yaml")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("found no declarations: %v", err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		texts[path] = string(raw)
	}
	return texts
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
		t.Errorf("%s differs (-want +got; -update writes it):\n%s", path, diff)
	}
}

func node(tb testing.TB, text string) *yaml.Node {
	tb.Helper()
	top, err := document.Parse(Attribute, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return top
}

// fromUserData returns the assignment of user data that was converted from a
// declaration.
func fromUserData(tb testing.TB, text []byte) *spec.Assignment {
	tb.Helper()
	data := cloudinit.UserData{Path: "user-data", Raw: text}
	section, err := data.Section(tb.Context(), cloudinit.Options{})
	if err != nil {
		tb.Fatalf("%v in:\n%s", err, text)
	}
	assignment, err := compose.Parse(section.Source, section.Node)
	if err != nil {
		tb.Fatalf("%v in:\n%s", err, text)
	}
	return assignment
}

// TestConvert compares the user data of each declaration with the golden one, and
// checks that both give the same assignment.
func TestConvert(t *testing.T) {
	for path, text := range sources(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source := document.File(Attribute)
			direct, _, err := Parse(source, node(t, text))
			if err != nil {
				t.Fatal(err)
			}
			conversion, err := Convert(source, node(t, text))
			if err != nil {
				t.Fatal(err)
			}
			written, err := conversion.CloudConfig()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".cloud-config", string(written))
			if diff := cmp.Diff(direct, fromUserData(t, written)); diff != "" {
				t.Errorf("assignment (-of the declaration +of the user data):\n%s", diff)
			}
		})
	}
}

func TestParseSetsDockersFields(t *testing.T) {
	assignment, _, err := Parse(document.File(Attribute), node(t, sources(t, "good")["testdata/good/gcloud.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	c := assignment.Containers[0]
	got := map[string]any{
		"name": c.Name, "pull": c.PullPolicy, "restart": c.Restart, "network": c.HostConfig.NetworkMode, "entrypoint": c.Config.Entrypoint,
		"command": c.Config.Cmd, "env": c.Config.Env, "tty": c.Config.Tty, "stdin": c.Config.OpenStdin, "login": assignment.Registries["gcr.io"].Identity,
	}
	raw, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "command": [
  "--port=8080",
  "$HOME/${literal}"
 ],
 "entrypoint": [
  "/bin/app"
 ],
 "env": [
  "EMPTY=",
  "NUMBER=8080",
  "PRICE=5$"
 ],
 "login": "gce",
 "name": "instance-1",
 "network": "host",
 "pull": "always",
 "restart": "on-failure",
 "stdin": false,
 "tty": true
}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("Parse() (-want +got):\n%s", diff)
	}
}

// TestBad compares the problems of each wrong declaration with the golden ones.
func TestBad(t *testing.T) {
	for path, text := range sources(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, _, err := Parse(document.File(Attribute), node(t, text))
			if _, isProblems := errors.AsType[document.Problems](err); !isProblems {
				t.Fatalf("Parse() = %v, want document.Problems", err)
			}
			if strings.Contains(err.Error(), canary) && filepath.Base(path) != "container.yaml" {
				t.Errorf("Parse() error contains a value: %v", err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

// FuzzParse checks that each input is a declaration or has problems, and that the
// converted user data gives the same assignment.
func FuzzParse(f *testing.F) {
	for _, kind := range []string{"good", "bad"} {
		for _, text := range sources(f, kind) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		top, err := document.Parse(Attribute, []byte(text))
		if err != nil {
			return
		}
		source := document.File(Attribute)
		assignment, _, err := Parse(source, top)
		if err != nil {
			var problems document.Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("Parse() = %v, want document.Problems", err)
			}
			return
		}
		conversion, err := Convert(source, top)
		if err != nil {
			t.Fatalf("Convert() = %v, but Parse() accepted it", err)
		}
		written, err := conversion.CloudConfig()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(assignment, fromUserData(t, written)); diff != "" {
			t.Errorf("assignment (-of the declaration +of the user data):\n%s\n%s", diff, written)
		}
	})
}
