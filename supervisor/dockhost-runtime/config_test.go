package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/supervisor/placement"
)

var update = flag.Bool("update", false, "write the golden files again")

func web() placement.Placement {
	return placement.Placement{Unit: "dockhost@web.service", CgroupPath: "/system.slice/dockhost@web.service/container"}
}

func TestRewriteGolden(t *testing.T) {
	config := readTestdata(t, "config.json")
	place := web()
	place.Edits = readTestdata(t, "edits.json")
	got, err := rewrite(config, place.CgroupPath, place.Edits)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "\t"); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	golden := filepath.Join("testdata", "rewritten.golden.json")
	if *update {
		if err := os.WriteFile(golden, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readTestdata(t, "rewritten.golden.json")), indented.String()); diff != "" {
		t.Errorf("rewrite(config.json) (-want +got):\n%s", diff)
	}
}

func TestRewriteWithoutEditsChangesTheCgroupAlone(t *testing.T) {
	config := readTestdata(t, "config.json")
	got, err := rewrite(config, web().CgroupPath)
	if err != nil {
		t.Fatal(err)
	}
	want := decode(t, config)
	want["linux"].(map[string]any)["cgroupsPath"] = web().CgroupPath
	if diff := cmp.Diff(want, decode(t, got)); diff != "" {
		t.Errorf("rewrite(config.json) (-want +got):\n%s", diff)
	}
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ at, base, edit, want string }{
		"new member":              {"", `{"a":1}`, `{"b":{"c":null}}`, `{"a":1,"b":{"c":null}}`},
		"deep member":             {"", `{"a":{"b":1,"c":2}}`, `{"a":{"c":3}}`, `{"a":{"b":1,"c":3}}`},
		"null changes nothing":    {"", `{"a":[1]}`, `{"a":null,"b":null}`, `{"a":[1]}`},
		"over null":               {"", `{"a":null}`, `{"a":[1]}`, `{"a":[1]}`},
		"no edits":                {"", `{"a":1}`, ``, `{"a":1}`},
		"lists append":            {"linux.devices", `[1,2]`, `[2,3]`, `[1,2,2,3]`},
		"variables by name":       {"process.env", `["A=1","B","AB=2"]`, `["B=x","C=","A=1=2"]`, `["A=1=2","B=x","AB=2","C="]`},
		"a variable set twice":    {"process.env", `["A=1","B=2","A=3"]`, `["A=4"]`, `["A=4","B=2"]`},
		"edits that repeat":       {"process.env", `[]`, `["A=1","A=2"]`, `["A=2"]`},
		"env of something else":   {"hooks.env", `["A=1"]`, `["A=2"]`, `["A=1","A=2"]`},
		"mounts by destination":   {"mounts", `[{"destination":"/a/"},{"destination":"/b"}]`, `[{"destination":"/a","x":1}]`, `[{"destination":"/a","x":1},{"destination":"/b"}]`},
		"mounts without one":      {"mounts", `[{}]`, `[{}]`, `[{},{}]`},
		"plain values":            {"hostname", `"a"`, `"b"`, `"b"`},
		"numbers keep their form": {"", `{"a":1.0,"b":18446744073709551615}`, `{"c":0.10}`, `{"a":1.0,"b":18446744073709551615,"c":0.10}`},
		"no HTML escapes":         {"", `{"a":"<&>"}`, `{"b":"<&>"}`, `{"a":"<&>","b":"<&>"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := merge(c.at, []byte(c.base), []byte(c.edit))
			if err != nil || string(got) != c.want {
				t.Errorf("merge(%q, %s, %s) = %s, %v, want %s", c.at, c.base, c.edit, got, err, c.want)
			}
		})
	}
}

func TestRewriteRefuses(t *testing.T) {
	for name, c := range map[string]struct{ config, edits, want string }{
		"empty":                {``, ``, "the configuration is missing"},
		"null":                 {`null`, ``, "the configuration is null"},
		"not JSON":             {`{"linux":`, ``, "unexpected end of JSON input"},
		"a list":               {`[]`, ``, "the configuration is not an object"},
		"no linux section":     {`{}`, ``, "linux is missing"},
		"linux null":           {`{"linux":null}`, ``, "linux is null"},
		"linux a string":       {`{"linux":"x"}`, ``, "linux is not an object"},
		"mounts of other kind": {`{"linux":{},"mounts":{}}`, `{"mounts":[]}`, "cannot merge mounts: it is an object, but a list in the edits"},
		"deep other kind":      {`{"linux":{"resources":1}}`, `{"linux":{"resources":{"devices":[]}}}`, "cannot merge linux.resources: it is a plain value, but an object in the edits"},
		"edits a list":         {`{"linux":{}}`, `[]`, "cannot merge the configuration: it is an object, but a list in the edits"},
		"empty with edits":     {``, `{}`, "cannot merge the configuration: it is null, but an object in the edits"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rewrite([]byte(c.config), web().CgroupPath, []byte(c.edits))
			if err == nil || err.Error() != c.want {
				t.Errorf("rewrite(%q, %q) = %s, %v, want error %q", c.config, c.edits, got, err, c.want)
			}
		})
	}
}

// FuzzRewrite checks that a rewritten configuration is JSON, has the cgroup path,
// and is otherwise unchanged.
func FuzzRewrite(f *testing.F) {
	f.Add(string(readTestdata(f, "config.json")), string(readTestdata(f, "edits.json")))
	f.Add(`{"linux":{"cgroupsPath":""}}`, ``)
	f.Add(`{"linux":{},"process":{"env":["A"]},"mounts":[{"destination":"/"}]}`, `{"process":{"env":["A=1"]},"mounts":[{"destination":"//"}]}`)
	f.Add(`{"linux":null,"linux":{}}`, `null`)
	f.Fuzz(func(t *testing.T, config, edits string) {
		place := web()
		if got, err := rewrite([]byte(config), place.CgroupPath); err == nil {
			want := decode(t, []byte(config))
			want["linux"].(map[string]any)["cgroupsPath"] = place.CgroupPath
			if diff := cmp.Diff(want, decode(t, got)); diff != "" {
				t.Errorf("rewrite(%q) (-want +got):\n%s", config, diff)
			}
		}
		place.Edits = []byte(edits)
		got, err := rewrite([]byte(config), place.CgroupPath, place.Edits)
		if err != nil {
			return
		}
		if path, err := cgroupsPath(got); err != nil || path != place.CgroupPath {
			t.Errorf("cgroupsPath(rewrite(%q, %q)) = %q, %v, want %q", config, edits, path, err, place.CgroupPath)
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	config := readTestdata(b, "config.json")
	place := web()
	place.Edits = readTestdata(b, "edits.json")
	for b.Loop() {
		if _, err := rewrite(config, place.CgroupPath, place.Edits); err != nil {
			b.Fatal(err)
		}
	}
}

func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func decode(tb testing.TB, raw []byte) map[string]any {
	tb.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		tb.Fatalf("decode %s: %v", raw, err)
	}
	return value
}
