//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// granted assigns two containers under a policy that grants /srv/e2e: writer may change
// what app mounts below it.
func (h *host) granted() {
	h.Helper()
	const path = "/etc/dockhost/policy.yaml"
	h.Cleanup(func() { h.try("umount /srv/e2e/html/late; rm -rf " + path + " /srv/e2e /etc/planted") })
	h.write(path, "host_mounts: [/srv/e2e]\n")
	h.run("umount -q /srv/e2e/html/late || true; rm -rf /srv/e2e && mkdir -p /srv/e2e/html/late /srv/e2e/releases/1 && ln -s releases/1 /srv/e2e/current && " +
		"echo html >/srv/e2e/html/index && echo conf >/srv/e2e/conf && echo one >/srv/e2e/releases/1/index")
	service := func(name, volumes string) string {
		return "    " + name + ":\n      image: localhost:5000/busybox\n      command: [sleep, infinity]\n      stop_signal: SIGKILL\n" +
			"      x-dockhost: {notify: started}\n      volumes: [" + volumes + "]\n"
	}
	h.assign("dockhost:\n  containers:\n" + service("writer", "'/srv/e2e:/shared'") +
		service("app", "'/srv/e2e/html:/html', '/srv/e2e/conf:/conf:ro', '/srv/e2e/html:/late:ro,rslave', '/srv/e2e/current:/current', '/srv/e2e/new/data:/new'") + registries)
	h.ready("writer")
	h.ready("app")
}

// mounts checks what app sees of its binds.
func (h *host) mounts(release string) {
	h.Helper()
	out, _ := h.try(`docker exec app sh -c 'cat /html/index /conf /late/index /current/index; echo x >/html/x; echo new >/new/x; cat /new/x
		for file in /conf /late/x; do (echo x >$file) 2>/dev/null || echo read-only; done'`)
	if want := "html\nconf\nhtml\n" + release + "\nnew\nread-only\nread-only\n"; out != want {
		h.Errorf("app sees %q, want %q", out, want)
	}
	// What the host mounts later appears where the propagation is rslave, and only there.
	h.run("mount -t tmpfs late /srv/e2e/html/late && touch /srv/e2e/html/late/there")
	if out, _ := h.try("docker exec app ls /html/late /late/late; umount /srv/e2e/html/late"); strings.Count(out, "there") != 1 || !strings.HasSuffix(strings.TrimSpace(out), "there") {
		h.Errorf("app sees %q of a later mount, want it below /late", out)
	}
	if out, _ := h.try("grep /run/dockhost/binds /proc/self/mountinfo; ls -A /run/dockhost/binds"); out != "" {
		h.Errorf("left on the host: %s", out)
	}
}

// TestGrantedBindsStayInGrant has a container replace what another one mounts by links out
// of the directory that the policy grants. The other one does not start until the links
// are gone, whoever starts it, and nothing is created where they lead.
func TestGrantedBindsStayInGrant(t *testing.T) {
	h := newHost(t)
	h.granted()
	h.mounts("one")
	h.run("cd /srv/e2e && mkdir releases/2 && echo two >releases/2/index && docker exec writer ln -sfn releases/2 /shared/current")
	h.run("docker restart app >/dev/null")
	h.ready("app")
	h.mounts("two")

	refused := func(leads string) {
		h.Helper()
		h.eventually("app is refused", func() error {
			c, err := h.container("app")
			if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, leads)) {
				err = fmt.Errorf("last error = %+v, want %q", c.LastError, leads)
			}
			return err
		})
		if out, code := h.try("docker exec app ls /html"); code == 0 {
			t.Errorf("app runs and sees %q", out)
		}
	}
	const swap = "docker exec writer sh -c 'cd /shared && mv html old && ln -s "
	h.run(swap + "/ html'")
	if out, code := h.try("docker restart app"); code == 0 {
		t.Errorf("docker restart = 0, %s", out)
	}
	refused(`"/srv/e2e/html" leads to "/", which is not in a directory that the policy grants (host_mounts: [/srv/e2e])`)
	h.try("systemctl restart dockhost@app")
	refused(`"/srv/e2e/html" leads to "/", which is not`)
	h.run("docker exec writer ln -sfn /etc/planted /shared/html")
	h.try("systemctl restart dockhost@app")
	refused(`"/srv/e2e/html" leads to "/etc/planted"`)
	if _, code := h.try("[ -e /etc/planted ]"); code == 0 {
		t.Error("a directory was created outside of the grant")
	}
	h.run("docker exec writer sh -c 'cd /shared && rm html && mv old html' && systemctl restart dockhost@app")
	h.ready("app")
	h.mounts("two")
}

// TestGrantedFilesStayInGrant has a container replace the files that user data names by a link
// to a file of root. Nothing of that file reaches a container or a registry.
func TestGrantedFilesStayInGrant(t *testing.T) {
	h := newHost(t)
	const path = "/etc/dockhost/policy.yaml"
	h.Cleanup(func() { h.try("rm -rf " + path + " /srv/e2e /root/planted") })
	h.write(path, "host_mounts: [/srv/e2e]\nenv_files: [/srv/e2e/env]\nsecret_files: [/srv/e2e]\npassword_files: [/srv/e2e]\n")
	h.run("rm -rf /srv/e2e && mkdir /srv/e2e && cd /srv/e2e && echo WHAT=env >env && echo secret >secret && " +
		"(umask 077; echo -n s3cret >password; echo WHAT=planted >/root/planted)")
	const service = "\n      image: localhost:5000/busybox\n      command: [sleep, infinity]\n      stop_signal: SIGKILL\n      x-dockhost: {notify: started}\n"
	logins := strings.Replace(registries, "password: s3cret", "password_file: /srv/e2e/password", 1)
	h.assign("dockhost:\n  containers:\n    writer:" + service + "      volumes: ['/srv/e2e:/shared']\n    app:" + service +
		"      env_file: /srv/e2e/env\n      secrets: [one]\n  secrets: {one: {file: /srv/e2e/secret}}\n" + logins)
	h.ready("writer")
	sees := func() {
		h.Helper()
		h.ready("app")
		h.run("dockhostctl pull app")
		if out := h.run("docker exec app sh -c 'echo $WHAT; cat /run/secrets/one'"); out != "env\nsecret\n" {
			t.Errorf("app sees %q", out)
		}
	}
	sees()
	for _, file := range []string{"env", "secret"} {
		h.run("docker exec writer sh -c 'cd /shared && mv " + file + " old && ln -s /root/planted " + file + "'")
		h.try("systemctl restart dockhost@app")
		h.eventually("app is refused", func() error {
			c, err := h.container("app")
			if err == nil && (c.LastError == nil || !strings.Contains(c.LastError.Message, `"/srv/e2e/`+file+`" leads to "/root/planted"`)) {
				err = fmt.Errorf("last error = %+v", c.LastError)
			}
			return err
		})
		h.run("docker exec writer sh -c 'cd /shared && mv old " + file + "'; systemctl restart dockhost@app")
		sees()
	}
	h.run("docker exec writer sh -c 'cd /shared && mv password old && ln -s /root/planted password'")
	if out, code := h.try("dockhostctl pull app"); code == 0 || !strings.Contains(out, `"/srv/e2e/password" leads to "/root/planted"`) {
		t.Errorf("a pull with a password from elsewhere: exit %d: %s", code, out)
	}
	h.run("docker exec writer mv /shared/old /shared/password")
	sees()
}
