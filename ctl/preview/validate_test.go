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

// validate returns what validate prints for a text: out has the errors and the
// result.
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
			`-:2:9 services.web.imag: unknown key "imag" (did you mean "image"?)
-:3:19 services.db.port: unknown key "port" (did you mean "ports"?)
-:4:1 volume: unknown key "volume" (did you mean "volumes"?)
`, "",
		},
		{
			"problems across containers", "services:\n  aa: {image: x, ports: ['80:80'], depends_on: [bb]}\n  bb: {image: x, ports: ['80:81'], depends_on: [aa]}\n",
			`-:3:26 services.bb.ports[0]: port 80/tcp of the host is already used by container "aa"
-:3:49 services.bb.depends_on[0]: these containers wait for each other in a circle: aa -> bb -> aa
`, "",
		},
		{
			"a misspelled section", "#cloud-config\ndockhots: {}\n",
			"-:2:1: unknown key \"dockhots\" (did you mean \"dockhost\"?)\n", "",
		},
		{
			"containers at the top", "#cloud-config\ncontainers: {web: " + service + "}\n", "-: no containers\n",
			"-:2:1 containers: warning: a host ignores this key here: indent it below dockhost:, and make #cloud-config the first line\n" +
				"-: warning: the user data (text/cloud-config) has no dockhost section: nothing would run\n",
		},
		{
			"the content of a section", "containers: {web: " + service + "}\n",
			"-: cloud-init ignores user data that starts like this: make #cloud-config the first line (a Compose file for /etc/dockhost/containers has services: at the top)\n",
			"-:1:1 containers: warning: a host ignores this key here: indent it below dockhost:, and make #cloud-config the first line\n",
		},
		{
			"services in cloud-config", "#cloud-config\nservices: {web: " + service + "}\n", "-: no containers\n",
			"-:2:1 services: warning: this key belongs to Compose files: in user data, write containers: below dockhost:\n" +
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

// A policy applies to user data. It does not apply to Compose files, which only
// root can write on a host.
func TestPolicyAppliesToUserData(t *testing.T) {
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

// The first line tells a Compose file that is not valid YAML.
func TestValidateFindsSyntaxErrors(t *testing.T) {
	for _, text := range []string{"# ours\nservices:\n  web: [" + canary, "#cloud-config\ndockhost:\n  web: [" + canary} {
		out, _ := validate(t, text, false)
		if !strings.HasPrefix(out, "-:3:") || !strings.Contains(out, "not YAML") || strings.Contains(out, canary) {
			t.Errorf("validate(%q) prints %q, want where it is not YAML", text, out)
		}
	}
}

func TestValidateAsCompose(t *testing.T) {
	out, _ := validate(t, "#cloud-config\nservice: {}\n", true)
	if want := "-:2:1 service: unknown key \"service\" (did you mean \"services\"?)\n"; out != want {
		t.Errorf("validate --compose prints %q, want %q", out, want)
	}
}

// Findings name files as the user did, also those of a seed.
func TestFindingsNameFiles(t *testing.T) {
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
		t.Errorf("prints %q, want the missing file", out)
	}
	meta := write("meta-data", "local-hostname: x\n")
	out, warnings := seed()
	if out != user+unknown || !strings.HasPrefix(warnings, meta+":1:1 instance-id: warning: missing") {
		t.Errorf("prints %q and %q, want the unknown key and the missing instance-id", out, warnings)
	}
	write("meta-data", "- x\n")
	if out, _ := seed(); !strings.HasPrefix(out, meta+":1:1: not a mapping") {
		t.Errorf("prints %q, want what is wrong with the meta-data", out)
	}
}

func TestAdviseSeed(t *testing.T) {
	in := &Input{Name: "-", data: &cloudinit.UserData{Path: "-"}}
	template := []Finding{{Severity: Error, File: "-", Message: "template: v1.region: not there"}}
	if all := in.adviseSeed(template); len(all) != 2 || all[1].Severity != Warning || !strings.Contains(all[1].Message, "--seed") {
		t.Errorf("adviseSeed() = %v, want the advice", all)
	}
	in.data.Metadata = map[string]any{}
	if all := in.adviseSeed(template); len(all) != 1 {
		t.Errorf("adviseSeed() of a seed = %v, want no advice", all)
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
		t.Errorf("Open() = %v, want a missing file", err)
	}
	if _, err := Open("-", strings.NewReader(strings.Repeat("x", 16<<20+1)), false); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("Open() = %v, want a limit", err)
	}
}

// FuzzValidate checks that no input makes Validate panic, and that each input
// is either well or has an error.
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
