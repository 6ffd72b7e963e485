package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource"
	"github.com/dockhost/dockhost/spec"
)

const podDeclaration = "spec:\n  containers:\n  - name: web\n    image: gcr.io/acme/web\n    ports: []\n"

// accept returns what user data assigns, and the note about it.
func (a *Agent) accept(ctx context.Context, data *cloudinit.UserData) (*spec.Assignment, string, error) {
	result, err := a.fetcher.parse(ctx, data, false, datasource.Options{})
	result, err = a.targets.judge(ctx, fetched{data: data, result: result, wrong: err}, nil)
	if err != nil {
		return nil, "", err
	}
	return result.Assignment, a.targets.notes(data, result), nil
}

// Google's declaration counts if the user data has no section.
func TestDeclaration(t *testing.T) {
	tests := []struct {
		name, userData, declaration string
		// images are those assigned, note and problem are parts of the texts.
		images        []string
		note, problem string
	}{
		{"alone", "", podDeclaration, []string{"gcr.io/acme/web"}, "taken from gce-container-declaration; gce-container-declaration:5 spec.containers[0].ports: ", ""},
		{"beside a script", "#!/bin/sh\n", podDeclaration, []string{"gcr.io/acme/web"}, "taken from", ""},
		{"beside cloud-config", "#cloud-config\nhostname: x\n", podDeclaration, []string{"gcr.io/acme/web"}, "taken from", ""},
		{"beside a section", "#cloud-config\ndockhost: {containers: {own: {image: own}}}\n", podDeclaration, []string{"own"}, "gce-container-declaration is not used", ""},
		{"wrong", "", "spec: {containers: [{name: web, imagee: a}]}", nil, "", "gce-container-declaration:1:33 spec.containers[0].imagee: unknown key"},
		{"no YAML", "", "spec: [", nil, "", "gce-container-declaration:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := &cloudinit.UserData{Path: "http://metadata/user-data", Raw: []byte(test.userData), Declaration: []byte(test.declaration)}
			assignment, note, err := newTestHost(t).agent().accept(t.Context(), data)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("accept() = %v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var images []string
			for _, c := range assignment.Containers {
				images = append(images, c.Image)
			}
			if diff := cmp.Diff(test.images, images); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			if !strings.Contains(note, test.note) {
				t.Errorf("note = %q, want %q", note, test.note)
			}
		})
	}
}

// The note warns of a password that the metadata service serves, without the password.
func TestPasswordWarning(t *testing.T) {
	const section = "#cloud-config\ndockhost:\n  containers: {web: {image: r.test/web}}\n  registries: {r.test: "
	tests := []struct {
		path, login string
		want        bool
	}{
		{"http://169.254.169.254/latest/user-data", "{username: u, password: hunter2canary}}\n", true},
		{"/var/lib/cloud/seed/nocloud/user-data", "{username: u, password: hunter2canary}}\n", false},
		{"http://169.254.169.254/latest/user-data", "{username: u, password_file: /etc/login}}\n", false},
	}
	for _, test := range tests {
		a := newTestHost(t).agent()
		_, note, err := a.accept(t.Context(), &cloudinit.UserData{Path: test.path, Raw: []byte(section + test.login)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(note, "every container of this instance can read it"); got != test.want || strings.Contains(note, "canary") {
			t.Errorf("accept() of %s with %s notes %q, want a warning: %v", test.path, test.login, note, test.want)
		}
	}
}

// What the policy refuses changes nothing. A broken policy refuses everything new.
func TestPolicyRefuses(t *testing.T) {
	const policyPath = "/etc/dockhost/policy.yaml"
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	h.write(policyPath, "privileged: false\n")
	h.agent().takeOver(t.Context()).wait()
	running := map[string]int{"web": 1}
	if diff := cmp.Diff(running, h.units.running()); diff != "" {
		t.Fatalf("running (-want +got):\n%s", diff)
	}
	refuse := func(section, problem string) {
		t.Helper()
		h.userData("i-1", section)
		a := h.agent()
		a.takeOver(t.Context()).wait()
		if got := a.store.snapshot().source.Problems; len(got) != 1 || !strings.Contains(got[0], problem) || !a.store.snapshot().source.LastKnownGood {
			t.Errorf("source = %+v, want last known good and %q", a.store.snapshot().source, problem)
		}
		if diff := cmp.Diff(running, h.units.running()); diff != "" {
			t.Errorf("running (-want +got):\n%s", diff)
		}
	}
	refuse(containers("web nginx:2")+"      privileged: true\n", "containers.web: privileged is not allowed here (rule privileged: false in /etc/dockhost/policy.yaml)")
	h.write(policyPath, "privilegd: false\n")
	refuse(containers("web nginx:3"), `/etc/dockhost/policy.yaml:1:1 privilegd: unknown key "privilegd" (did you mean "privileged"?)`)
}

// A changed policy judges the user data that was fetched before it.
func TestChangedPolicyJudgesAgain(t *testing.T) {
	const policyPath = "/etc/dockhost/policy.yaml"
	h := newTestHost(t)
	service := &fakeService{}
	service.set(containers("web nginx:1") + "      privileged: true\n")
	h.write(policyPath, "privileged: false\n")
	a := h.serving(service.find, nil)
	h.eventually("the user data is refused", func() error {
		if problems := a.server.userData().Source.Problems; len(problems) != 1 {
			return fmt.Errorf("problems are %q", problems)
		}
		return nil
	})
	h.runs(map[string]int{})
	h.write(policyPath, "privileged: true\n")
	h.runs(map[string]int{"web": 1})
	service.mu.Lock()
	defer service.mu.Unlock()
	if service.reads != 1 {
		t.Errorf("the service was asked %d times, want once", service.reads)
	}
}
