//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestSecretsAreHidden checks that no log, status, command line or readable file
// shows a secret of the user data.
func TestSecretsAreHidden(t *testing.T) {
	h := newHost(t)
	const canary = "canary-4711"
	good := app(`ports: ["8080:8080"]`, "environment: {TOKEN: "+canary+"}")
	h.assign(good)
	h.ready("app")
	// A wrong password, and then an error next to a secret.
	h.assign(strings.NewReplacer("s3cret", canary, "app:1", "app:none").Replace(good))
	h.eventually("the pull has failed", func() error {
		if c, err := h.container("app"); err != nil || c.Pending == nil || c.Pending.Error == "" {
			return fmt.Errorf("status = %+v, %w", c, err)
		}
		return nil
	})
	h.assign(good + "    nonsense: " + canary + "\n")
	h.eventually("the error is reported", func() error {
		if s, _ := h.status(); len(s.Source.Problems) == 0 {
			return errors.New("the status has no problem")
		}
		return nil
	})
	h.hides(canary)
}

// hides checks that no log, status, command line or readable file shows a secret
// of the container app.
func (h *host) hides(secret string) {
	h.Helper()
	places := []string{
		"journalctl --no-pager -b -o json -u dockhost -u 'dockhost@*'", "dockhostctl status", "dockhostctl status --json",
		"systemctl status --no-pager -l dockhost dockhost@app", "systemctl cat dockhost@app", "systemctl show dockhost@app", "ps -ef",
	}
	for _, place := range places {
		if out, _ := h.try(place); strings.Contains(out, secret) {
			h.Errorf("%s shows the secret", place)
		}
	}
	files := h.output("grep -rls " + secret + " /run/dockhost /var/lib/dockhost /run/systemd | xargs stat -c '%a %U %n'")
	for file := range strings.SplitSeq(files, "\n") {
		if !strings.HasPrefix(file, "600 root ") {
			h.Errorf("others may read a file with the secret: %s", file)
		}
	}
}

// TestDeclareHidesSecrets checks that no log, status, command line or readable
// file shows a secret of a declared container.
func TestDeclareHidesSecrets(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const canary = "canary-4711"
	h.write("/root/app.env", "FROM_FILE="+canary+"\n")
	t.Cleanup(func() { h.run("rm /root/app.env") })
	printed := h.run("export NAMED=" + canary + " UNNAMED=" + canary + "\n" +
		"dockhostctl run --name app -e NAMED --env-file /root/app.env -p 8080:8080 localhost:5000/app:1")
	for name, want := range map[string]bool{"NAMED": true, "FROM_FILE": true, "UNNAMED": false} {
		if got, _ := h.try("curl -s --retry 10 --retry-delay 1 --retry-connrefused 'localhost:8080/env?name=" + name + "'"); strings.Contains(got, canary) != want {
			t.Errorf("variable %s of the container = %q, want the secret: %v", name, got, want)
		}
	}
	for _, args := range []string{"localhost:5000/app:none", "--restart sometimes localhost:5000/app:1", "-m lots localhost:5000/app:1", "--label dockhost.x=" + canary + " localhost:5000/app:1"} {
		out, code := h.try("export NAMED=" + canary + "; dockhostctl run --name app -e NAMED -e OTHER=" + canary + " " + args)
		if code == 0 {
			t.Errorf("dockhostctl run %s exits with 0, want a failure", args)
		}
		printed += out
	}
	if strings.Contains(printed, canary) {
		t.Errorf("dockhostctl run prints the secret: %s", printed)
	}
	h.hides(canary)
}
