//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func errUnless(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("it is not so")
}

// TestAttackFiles puts files into directories of the agent that are no files, or too large.
// Another container starts and stops beside them, before and after a restart of the agent.
func TestAttackFiles(t *testing.T) {
	a := underAttack(t)
	for name, make := range map[string]string{
		"fifo":          "mkfifo %s",
		"link-to-root":  "ln -s / %s",
		"link-to-fifo":  "mkfifo " + hostileDir + "/fifo 2>/dev/null || :; ln -s " + hostileDir + "/fifo %s",
		"link-to-zeros": "ln -s /dev/zero %s",
		"directory":     "mkdir %s",
		"socket":        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"%s\")'",
		"huge":          "truncate -s 64G %s",
		"not-json":      "head -c 1000000 /dev/urandom >%s",
		"deep-json":     "python3 -c 'print(\"[\" * 5000000)' >%s",
		"cgroup-of-all": "echo '{\"unit\": \"dockhost@app.service\", \"cgroup_path\": \"/../..\", \"runtime\": \"/srv/evil\"}' >%s",
	} {
		a.in(name, func(a *attacked) {
			for _, file := range []string{"runtime/" + strings.Repeat("e", 64), "state/evil", "containers/evil"} {
				file = "/run/dockhost/" + file + ".json"
				a.Cleanup(func() { a.try("rm -rf " + file) })
				a.run(strings.NewReplacer("%[1]s", file, "%s", file).Replace(make))
			}
			pid := a.pid("app")
			a.run("timeout 40 systemctl restart dockhost.service")
			a.othersStart()
			if out, code := a.try("timeout 20 dockhostctl status"); code != 0 && code != 3 {
				a.Errorf("SUCCESS of the attack: status exits %d: %s", code, out)
			}
			if size := a.memoryOf("dockhost"); size > 300 {
				a.Errorf("SUCCESS of the attack: the agent has %d MiB", size)
			}
			a.runsStill(pid)
		})
	}
}

// TestAttackSecrets assigns containers whose files are no files. They fail by themselves, in
// time, and others start.
func TestAttackSecrets(t *testing.T) {
	a := underAttack(t)
	a.run("mkfifo " + hostileDir + "/fifo; ln -s /dev/zero " + hostileDir + "/zeros; truncate -s 8G " + hostileDir + "/huge; mkdir " + hostileDir + "/dir; python3 -c 'print(\"A=\" + \"b\" * 50000000)' >" + hostileDir + "/long")
	a.assignsBeside("init: true", "")
	for name, keys := range map[string][2]string{
		"env-file-huge": {"env_file: [" + hostileDir + "/huge]", ""},
		"env-file-dir":  {"env_file: [" + hostileDir + "/dir]", ""},
		"env-file-long": {"env_file: [" + hostileDir + "/long]", ""},
		"secret-fifo":   {"secrets: [key]", "secrets: {key: {file: " + hostileDir + "/fifo}}"},
		"secret-zeros":  {"secrets: [key]", "secrets: {key: {file: " + hostileDir + "/zeros}}"},
		"secret-huge":   {"secrets: [key]", "secrets: {key: {file: " + hostileDir + "/huge}}"},
	} {
		a.in(name, func(a *attacked) {
			a.userData("#cloud-config\n" + beside(keys[0], keys[1]))
			a.run("systemctl reload dockhost.service")
			a.eventually("the reason is shown", func() error {
				s, _ := a.status()
				c, err := a.container("evil")
				if err == nil && (c.LastError != nil || c.Pending != nil && c.Pending.Error != "") || len(s.Source.Problems) > 0 {
					return nil
				}
				return fmt.Errorf("status = %+v, %+v, %w", c, c.Pending, err)
			})
			a.othersStart()
			a.goesOn()
		})
	}
}
