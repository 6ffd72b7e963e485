package preview

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
)

// validate returns what is printed about a text: the errors and the result,
// and the warnings.
func validate(t *testing.T, text string, asCompose bool) (out, warnings string) {
	t.Helper()
	in, err := Open("-", strings.NewReader(text), asCompose)
	if err != nil {
		t.Fatal(err)
	}
	return print(t, Validate(t.Context(), assignment.Options{}, in))
}

func print(t *testing.T, report Report) (out, warnings string) {
	t.Helper()
	var o, w bytes.Buffer
	if err := report.Print(&o, &w); err != nil {
		t.Fatal(err)
	}
	return o.String(), w.String()
}

func TestValidate(t *testing.T) {
	const service = "{image: nginx}"
	tests := []struct {
		name, text    string
		out, warnings string
	}{
		{"user data", "#cloud-config\ndockhost: {containers: {web: " + service + ", db: " + service + "}}\n", "-: 2 containers: db, web\n", ""},
		{"one container", "#cloud-config\ndockhost: {containers: {web: " + service + "}}\n", "-: 1 container: web\n", ""},
		{"a Compose file", "# ours\nservices: {web: " + service + "}\n", "-: 1 container: web\n", ""},
		{"with logins alone", "x-dockhost: {registries: {}}\n", "-: no containers\n", ""},
		{
			"every problem at once", "services:\n  web: {imag: x}\n  db: {image: pg, port: 1}\nvolume: {}\n",
			`-:2:3 services.web: no image: add image: with the reference of an image
-:2:9 services.web.imag: unknown key "imag" (did you mean "image"?)
-:3:19 services.db.port: unknown key "port" (did you mean "ports"?)
-:4:1 volume: unknown key "volume" (did you mean "volumes"?)
`, "",
		},
		{
			"what only the whole tells", "services:\n  aa: {image: x, ports: ['80:80'], depends_on: [bb]}\n  bb: {image: x, ports: ['80:81'], depends_on: [aa]}\n",
			`-:3:26 services.bb.ports[0]: port 80/tcp of the host is taken by container "aa" already
-:3:49 services.bb.depends_on[0]: these containers wait for each other in a circle: aa -> bb -> aa
`, "",
		},
		{
			"a misspelled section", "#cloud-config\ndockhots: {}\n", "-: no containers\n",
			"-:2:1 dockhots: warning: nobody knows this key (did you mean \"dockhost\"?)\n" +
				"-: warning: the user data (text/cloud-config) has no dockhost section: nothing would run\n",
		},
		{
			"containers at the top", "#cloud-config\ncontainers: {web: " + service + "}\n", "-: no containers\n",
			"-:2:1 containers: warning: this stands below dockhost:, indented, and above that #cloud-config is the first line\n" +
				"-: warning: the user data (text/cloud-config) has no dockhost section: nothing would run\n",
		},
		{
			"the content of a section", "containers: {web: " + service + "}\n",
			"-: cloud-init knows no user data that begins so, and ignores it: the first line must be #cloud-config (a Compose file for /etc/dockhost/containers has services: at the top)\n",
			"-:1:1 containers: warning: this stands below dockhost:, indented, and above that #cloud-config is the first line\n",
		},
		{
			"services in cloud-config", "#cloud-config\nservices: {web: " + service + "}\n", "-: no containers\n",
			"-:2:1 services: warning: this is how a Compose file has it: write containers: below dockhost:\n" +
				"-: warning: the user data (text/cloud-config) has no dockhost section: nothing would run\n",
		},
		{
			"no header", "dockhost: {containers: {web: " + service + "}}\n",
			"-:1:1: the first line is not #cloud-config, so this is not read: add that line\n", "",
		},
		{"a script", "#!/bin/sh\n", "-: no containers\n", "-: warning: the user data (text/x-shellscript) has no dockhost section: nothing would run\n"},
		{"nothing", "", "-: no containers\n", "-: warning: the user data is empty: nothing would run\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, warnings := validate(t, tt.text, false)
			if diff := cmp.Diff(tt.out, out); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// The policy of a host judges user data, and not what root has on the host.
func TestValidateByPolicy(t *testing.T) {
	rules, err := policy.Parse("policy.yaml", []byte("privileged: false\nhost_network: false\n"))
	if err != nil {
		t.Fatal(err)
	}
	const service = "{image: nginx, privileged: true, network_mode: host}"
	for text, want := range map[string]int{"#cloud-config\ndockhost: {containers: {web: " + service + "}}\n": 2, "services: {web: " + service + "}\n": 0} {
		in, err := Open("-", strings.NewReader(text), false)
		if err != nil {
			t.Fatal(err)
		}
		report := Validate(t.Context(), assignment.Options{Policy: rules}, in)
		if len(report.Findings) != want || report.Well != (want == 0) {
			t.Errorf("Validate(%q) = %+v, want %d findings", text, report, want)
		}
	}
}

// What is no YAML is told by its beginning.
func TestValidateSyntax(t *testing.T) {
	for _, text := range []string{"# ours\nservices:\n  web: [" + canary, "#cloud-config\ndockhost:\n  web: [" + canary} {
		out, _ := validate(t, text, false)
		if !strings.HasPrefix(out, "-:3:") || !strings.Contains(out, "not YAML") || strings.Contains(out, canary) {
			t.Errorf("validate(%q) prints %q, want where it is no YAML", text, out)
		}
	}
}

func TestValidateAsCompose(t *testing.T) {
	out, _ := validate(t, "#cloud-config\nservice: {}\n", true)
	if want := "-:2:1 service: unknown key \"service\" (did you mean \"services\"?)\n"; out != want {
		t.Errorf("validate --compose prints %q, want %q", out, want)
	}
}

// Files are named as the user named them, those of a seed as well.
func TestValidateNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	user := write("user-data", "#cloud-config\ndockhost: {container: {}}\n")
	in, err := Open(user, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	const unknown = ":2:12 container: unknown key \"container\" (did you mean \"containers\"?)\n"
	if out, _ := print(t, Validate(t.Context(), assignment.Options{}, in)); out != user+unknown {
		t.Errorf("prints %q, want %q", out, user+unknown)
	}
	seed := func() (string, string) {
		return print(t, Validate(t.Context(), assignment.Options{}, OpenSeed(dir+"/")))
	}
	if out, _ := seed(); !strings.Contains(out, "has user-data but no meta-data") {
		t.Errorf("prints %q, want what the seed lacks", out)
	}
	meta := write("meta-data", "local-hostname: x\n")
	out, warnings := seed()
	if out != user+unknown || !strings.HasPrefix(warnings, meta+":1:1 instance-id: warning: there is none") {
		t.Errorf("prints %q and %q, want the unknown key, and that the instance-id lacks", out, warnings)
	}
	write("meta-data", "- x\n")
	if out, _ := seed(); !strings.HasPrefix(out, meta+":1:1: not a mapping") {
		t.Errorf("prints %q, want what is wrong with the meta-data", out)
	}
}

// A template in a file lacks what a seed has.
func TestAdviseSeed(t *testing.T) {
	in := &Input{Name: "-", data: &cloudinit.UserData{Path: "-"}}
	template := []Finding{{Severity: Error, File: "-", Message: "template: v1.region: not there"}}
	if found := in.adviseSeed(template); len(found) != 2 || found[1].Severity != Warning || !strings.Contains(found[1].Message, "--seed") {
		t.Errorf("adviseSeed() = %v, want the advice", found)
	}
	in.data.Metadata = map[string]any{}
	if found := in.adviseSeed(template); len(found) != 1 {
		t.Errorf("adviseSeed() of a seed = %v, want no advice", found)
	}
}

func TestFindings(t *testing.T) {
	placed := &document.Problem{File: "user-data", Line: 2, Column: 3, Path: "a.b", Message: "no"}
	included := &document.Problem{File: "https://host/x", Line: 1, Column: 1, Message: "no"}
	got := findings(errors.Join(document.Problems{placed}, errors.New("one\ntwo"), included), "dir/", "dir/user-data")
	var lines []string
	for _, f := range got {
		lines = append(lines, f.String())
	}
	want := []string{"dir/user-data:2:3 a.b: no", "dir/user-data: one", "dir/user-data: two", "https://host/x:1:1: no"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestReportJSON(t *testing.T) {
	in, err := Open("-", strings.NewReader("services: {web: {image: x, port: 1}}"), false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Validate(t.Context(), assignment.Options{}, in).PrintJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"well": false,
		"findings": [{"severity": "error", "file": "-", "line": 1, "column": 28, "path": "services.web.port",
			"message": "unknown key \"port\" (did you mean \"ports\"?)"}],
		"inputs": [{"name": "-", "well": false, "kind": "compose", "containers": []}]}`), &want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none"), nil, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open() = %v, want a file that is not there", err)
	}
	if _, err := Open("-", strings.NewReader(strings.Repeat("x", 16<<20+1)), false); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("Open() = %v, want a limit", err)
	}
}

// FuzzValidate has nothing that somebody hands in end the program, and each
// thing be either well or have an error.
func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		"", "#cloud-config\ndockhost: {containers: {web: {image: nginx}}}", "services: [", "x-dockhost:\n  registries: {a.b: {}}", "services: {}", "# x\n---\nservices: {w: &a [*a]}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Open("-", strings.NewReader(text), false)
		if err != nil {
			t.Skip(err)
		}
		report := Validate(t.Context(), assignment.Options{}, in)
		if report.Well == hasErrors(report.Findings) || len(report.Inputs) != 1 {
			t.Errorf("Validate(%q) = %+v", text, report)
		}
		for _, finding := range report.Findings {
			if finding.Message == "" || strings.Contains(finding.String(), "\n") {
				t.Errorf("Validate(%q) finds %q", text, finding)
			}
		}
	})
}
