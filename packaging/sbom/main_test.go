package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestRun checks that the bill of this test program has its modules, and that two
// runs give the same bytes.
func TestRun(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{"dockhost", "1.0", program, program}, out); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("two runs differ")
	}
	var got cdx.BOM
	if err := json.Unmarshal(first.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range *got.Components {
		names = append(names, c.Name+"@"+c.Version)
	}
	if !strings.Contains(strings.Join(names, " "), "github.com/CycloneDX/cyclonedx-go@v") {
		t.Errorf("the modules are %v, without cyclonedx-go", names)
	}
}

func TestAddReplaced(t *testing.T) {
	components := map[string]cdx.Component{}
	add(components, &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/b", Version: "v2.0.0", Sum: "h1:x="}},
	}})
	for _, want := range []string{"pkg:golang/std@1.26.8", "pkg:golang/example.com/b@v2.0.0"} {
		if _, found := components[want]; !found {
			t.Errorf("%s is missing in %v", want, components)
		}
	}
	if len(components) != 2 {
		t.Errorf("there are %d components, want 2", len(components))
	}
}

func TestRunRefuses(t *testing.T) {
	if err := run([]string{"dockhost", "1.0", "main.go"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "main.go") {
		t.Errorf("run on a text file = %v, want an error that names it", err)
	}
	if err := run(nil, &bytes.Buffer{}); err == nil {
		t.Error("run without programs succeeds")
	}
}
