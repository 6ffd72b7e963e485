//go:build e2e

package e2e

import (
	"bufio"
	"cmp"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

const policyFile = "/etc/dockhost/policy.yaml"

// document is user data that attacks.
type document struct {
	// name is the policy's name, /, and what it is.
	name, text string
	// says is a part of the sentence that refuses it.
	says string
}

// documents are the user data in test/attack/userdata, those with the same policy together.
func documents(t *testing.T) []document {
	t.Helper()
	files, err := filepath.Glob("../attack/userdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no user data: %v", err)
	}
	var all []document
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			d := document{name: strings.TrimSuffix(f.Name, ".yaml"), text: string(f.Data)}
			lines := bufio.NewScanner(strings.NewReader(d.text))
			for lines.Scan() {
				if says, found := strings.CutPrefix(lines.Text(), "# says: "); found {
					d.says = says
				}
			}
			d.name = path.Dir(d.name) + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + path.Base(d.name)
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b document) int {
		policy := func(d document) string { name, _, _ := strings.Cut(d.name, "/"); return name }
		return cmp.Compare(policy(a), policy(b))
	})
	return all
}

// policy puts a policy in force: "deny" and "allow" are the package's example with that
// default and with the registry of the test host, "none" is no policy. With "allow" no rule says
// which unit settings there may be.
func (a *attacked) policy(name string) {
	a.Helper()
	if name == "none" {
		a.run("rm -f " + policyFile)
		return
	}
	a.run("mkdir -p /etc/dockhost; sed -e '/^unit_settings/{s/^/" + map[string]string{"deny": "", "allow": "# "}[name] + "/}' -e 's/^default: deny/default: " + name + "/' -e 's/^registries: .*/registries: [\"localhost:5000\"]/' -e 's/^images_without_digest: .*/images_without_digest: true/' /usr/share/dockhost/policy.yaml.example >" + policyFile + ".new; mv " + policyFile + ".new " + policyFile)
}

// TestAttackUserData assigns each document of test/attack/userdata. Each is refused by a
// sentence that says why, and nothing changes on the host.
func TestAttackUserData(t *testing.T) {
	a := underAttack(t)
	a.run("install -m 755 /bin/true /srv/evil")
	t.Cleanup(func() { a.run("rm -f /srv/evil") })
	inForce := ""
	for _, d := range documents(t) {
		a.in(d.name, func(a *attacked) {
			if policy, _, _ := strings.Cut(d.name, "/"); policy != inForce {
				a.policy(policy)
				inForce = policy
			}
			a.refuses(a.fetched(d.text), d.says)
			a.unharmed()
		})
	}
}
