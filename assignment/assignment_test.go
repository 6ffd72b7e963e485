package assignment

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// canary stands for a secret in user data.
const canary = "hunter2canary"

const good = "#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx}\n    db: {image: postgres}\n"

func userData(text string) *cloudinit.UserData {
	return &cloudinit.UserData{Path: "/seed/user-data", Raw: []byte(text)}
}

func names(assignment *spec.Assignment) []string {
	names := []string{}
	for _, c := range assignment.Containers {
		names = append(names, c.Name)
	}
	return names
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, text string
		containers []string
		note       string
		unread     bool
	}{
		{"a section", good, []string{"db", "web"}, "", false},
		{"an empty section", "#cloud-config\ndockhost: {}\n", nil, "", false},
		{"nothing", "", nil, "the user data is empty", false},
		{"another section", "#cloud-config\nusers: []\n", nil, "the user data (text/cloud-config) has no dockhost section", false},
		{"a script", "#!/bin/sh\n", nil, "the user data (text/x-shellscript) has no dockhost section", false},
		{"what may hold one", "#include-once\nhttps://" + canary + "\n", nil, "has no dockhost section", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := Read(t.Context(), userData(tt.text), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{}, tt.containers...), names(result.Assignment)); diff != "" {
				t.Errorf("containers (-want +got):\n%s", diff)
			}
			if !strings.Contains(result.Note, tt.note) || (tt.note == "") != (result.Note == "") {
				t.Errorf("Note = %q, want %q", result.Note, tt.note)
			}
			if (result.Unread != nil) != tt.unread || tt.unread && strings.Contains(result.Unread.Error(), canary) {
				t.Errorf("Unread = %v, want one: %v", result.Unread, tt.unread)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	text := "#cloud-config\ndockhost:\n  containers:\n    web: {image: nginx, port: " + canary + "}\n  registrys: {}\n"
	result, err := Read(t.Context(), userData(text), Options{})
	var problems document.Problems
	if !errors.As(err, &problems) || result.Assignment != nil {
		t.Fatalf("Read() = %v, %v, want problems", result, err)
	}
	want := `user-data:4:25 containers.web.port: unknown key "port" (did you mean "ports"?)
user-data:5:3 registrys: unknown key "registrys" (did you mean "registries"?)`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// denied is a policy that allows nothing.
type denied struct{ assignment *spec.Assignment }

func (d *denied) Grant(assignment *spec.Assignment) *spec.Assignment { return assignment }

func (d *denied) Check(assignment *spec.Assignment) error {
	d.assignment = assignment
	return errors.New("denied by the rule images")
}

func TestPolicyJudges(t *testing.T) {
	policy := &denied{}
	if _, err := Read(t.Context(), userData(good), Options{Policy: policy}); err == nil || err.Error() != "denied by the rule images" {
		t.Errorf("Read() = %v, want the policy's error", err)
	}
	if got := names(policy.assignment); !cmp.Equal(got, []string{"db", "web"}) {
		t.Errorf("the policy judged %v", got)
	}
}

func TestDeclaration(t *testing.T) {
	read := func(file string, raw []byte) (*spec.Assignment, []string, error) {
		if string(raw) != "spec:" {
			return nil, nil, errors.New(file + ": wrong")
		}
		return &spec.Assignment{Containers: []spec.Container{{Name: "konlet"}}}, []string{"tty is left out"}, nil
	}
	data := userData("#!/bin/sh\n")
	data.Declaration = []byte("spec:")
	result, err := Read(t.Context(), data, Options{Declaration: read})
	if err != nil || !cmp.Equal(names(result.Assignment), []string{"konlet"}) || len(result.Warnings) != 1 {
		t.Errorf("Read() = %+v, %v, want the declaration's container and its warning", result, err)
	}
	data.Declaration = []byte("x")
	if _, err := Read(t.Context(), data, Options{Declaration: read}); err == nil {
		t.Error("Read() takes a wrong declaration")
	}
	data.Raw = []byte(good)
	if result, err := Read(t.Context(), data, Options{Declaration: read}); err != nil || len(result.Assignment.Containers) != 2 {
		t.Errorf("Read() = %+v, %v, want the dockhost section to win", result, err)
	}
}

func TestReadFile(t *testing.T) {
	result, err := ReadFile(t.Context(), "/etc/dockhost/containers/web.yaml", []byte("services: {web: {image: nginx}}"), Directory{})
	if err != nil || !cmp.Equal(names(result.Assignment), []string{"web"}) {
		t.Errorf("ReadFile() = %+v, %v", result, err)
	}
	if result, err := ReadFile(t.Context(), "web.yaml", []byte("# nothing yet\n"), Directory{}); err != nil || result.Note != "the file is empty" {
		t.Errorf("ReadFile() = %+v, %v, want a note", result, err)
	}
	_, err = ReadFile(t.Context(), "web.yaml", []byte("dockhost:\n  containers: {}\n"), Directory{})
	if want := `web.yaml:1:1 dockhost: unknown key "dockhost": in a Compose file, write services:`; err == nil || err.Error() != want {
		t.Errorf("ReadFile() = %v, want %s", err, want)
	}
}
