//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestLoginsPullImages pulls images with logins whose password is not in the user
// data.
func TestLoginsPullImages(t *testing.T) {
	tests := []struct{ name, login, prepare, undo string }{
		{
			"a file", "{username: deploy, password_file: /etc/dockhost/e2e-password}",
			"mkdir -p /etc/dockhost && (umask 077 && echo s3cret >/etc/dockhost/e2e-password)", "rm -f /etc/dockhost/e2e-password",
		},
		{
			"a systemd credential", "{username: deploy, password_credential: e2e.password}",
			"mkdir -p -m 0700 /etc/credstore && (umask 077 && echo s3cret >/etc/credstore/e2e.password)", "rm -f /etc/credstore/e2e.password",
		},
		{
			"a helper with an environment", "{credential_helper: e2e, environment: {WHO: deploy, TOKEN: s3cret}}",
			`cat >/usr/local/bin/docker-credential-e2e <<'END'
#!/bin/sh
[ "$1 $(cat)" = "get localhost:5000" ] && echo "{\"Username\":\"$WHO\",\"Secret\":\"$TOKEN\"}"
END
chmod 755 /usr/local/bin/docker-credential-e2e`, "rm -f /usr/local/bin/docker-credential-e2e",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.Cleanup(func() { h.run(test.undo) })
			h.run(test.prepare)
			h.run("docker rmi -f localhost:5000/app:1 localhost:5000/app:2 >/dev/null 2>&1 || true")
			section := "dockhost:\n  containers:\n    app: {image: 'localhost:5000/app:1'}\n  registries:\n    localhost:5000: " + test.login + "\n"
			h.assign(section)
			h.ready("app") // the supervisor pulled the image
			h.assign(strings.Replace(section, "app:1", "app:2", 1))
			h.eventually("the image that the agent pulled runs", func() error {
				if c, err := h.container("app"); err != nil || c.Image != "localhost:5000/app:2" || !c.Ready || c.Pending != nil {
					return fmt.Errorf("status = %+v: %w", c, errors.Join(err, errors.New("want it ready")))
				}
				return nil
			})
			if mode := h.output("stat -c %a /run/dockhost/logins/config.json"); mode != "600" {
				t.Errorf("mode of config.json = %s, want 600", mode)
			}
			shown, _ := h.try("dockhostctl status --json; cat /run/systemd/system/dockhost@app.service.d/50-dockhost.conf; journalctl --no-pager -b -u dockhost -u dockhost@app -n 500")
			if strings.Contains(shown, "s3cret") {
				t.Error("status, drop-in or journal show the password")
			}
		})
	}
}

// TestReadablePasswordFileIsRefused uses a password file that others may read: the
// error names the command that helps.
func TestReadablePasswordFileIsRefused(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("rm -f /etc/dockhost/e2e-password") })
	h.write("/etc/dockhost/e2e-password", "s3cret")
	h.run("chmod 644 /etc/dockhost/e2e-password; docker rmi -f localhost:5000/app:1 >/dev/null 2>&1 || true")
	h.assign("dockhost:\n  containers:\n    app: {image: 'localhost:5000/app:1'}\n" +
		"  registries:\n    localhost:5000: {username: deploy, password_file: /etc/dockhost/e2e-password}\n")
	h.eventually("the status shows the reason", func() error {
		if c, err := h.container("app"); err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "chmod 600 /etc/dockhost/e2e-password") {
			return fmt.Errorf("status = %+v: %w", c, errors.Join(err, errors.New("want chmod 600")))
		}
		return nil
	})
	h.run("chmod 600 /etc/dockhost/e2e-password")
	h.ready("app")
}
