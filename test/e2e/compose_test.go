//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// nginx has a shell and curl.
const nginx = "localhost:5000/nginx:1.22"

// project writes the Compose file shop.yaml, and has the agent read it. Its services
// log in to the registry.
func (h *host) project(text string) {
	h.Helper()
	h.write(composeFiles+"shop.yaml", text+"x-dockhost:\n"+registries)
	h.takeOver()
}

// A secret is a file in the container with its own permissions. No inspect output
// shows it, and a change of it replaces the container.
func TestSecrets(t *testing.T) {
	h := newHost(t)
	h.write(composeFiles+"password.txt", "s3cret-file")
	h.write(composeFiles+".env", "TOKEN=s3cret-variable\nIMAGE="+nginx+"\n")
	h.write("/etc/credstore/shop.token", "s3cret-credential")
	h.Cleanup(func() { h.run("rm -f /etc/credstore/shop.token") })
	h.project(`services:
  web:
    image: ${IMAGE:?set IMAGE}
    secrets:
      - {source: password, uid: "33", gid: "33", mode: 0400}
      - token
      - credential
    configs: [{source: page, target: /usr/share/nginx/html/page.txt}]
secrets:
  password: {file: ./password.txt}
  token: {environment: TOKEN}
  credential: {credential: shop.token}
configs:
  page: {content: "five $$"}
`)
	first := h.ready("web")
	got := h.output("docker exec web sh -c 'cd /run/secrets; stat -c %a:%u password; cat password token credential; cat /usr/share/nginx/html/page.txt'")
	if want := "400:33\ns3cret-files3cret-variables3cret-credentialfive $"; got != want {
		t.Errorf("files in the container = %q, want %q", got, want)
	}
	if out, _ := h.try("docker exec web sh -c 'echo x >/run/secrets/token'"); !strings.Contains(out, "ead-only") {
		t.Errorf("a secret can be written: %s", out)
	}
	shown := h.run("docker inspect web; systemctl cat dockhost@web; systemctl show dockhost@web; dockhostctl status --json; dockhostctl render " + composeFiles + "shop.yaml; journalctl -b -u dockhost -u dockhost@web")
	if strings.Contains(shown, "s3cret-") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	if kind := h.output("stat -f -c %T /run/dockhost/files/web/0; stat -c %a /run/dockhost/files/web"); kind != "tmpfs\n700" {
		t.Errorf("the secrets are in a %q, want a closed directory in memory", kind)
	}
	h.write(composeFiles+"password.txt", "s3cret-changed")
	h.takeOver()
	h.eventually("the container has the new secret", func() error {
		if out, code := h.try("docker exec web cat /run/secrets/password"); code != 0 || out != "s3cret-changed" {
			return fmt.Errorf("secret = %q", out)
		}
		return nil
	})
	if second := h.ready("web"); second.ID == first.ID {
		t.Error("the container is the old one")
	}
	h.run("rm " + composeFiles + "shop.yaml")
	h.takeOver()
	h.eventually("the secrets are gone", func() error {
		if out, _ := h.try("ls /run/dockhost/files"); strings.TrimSpace(out) != "" {
			return fmt.Errorf("there is %s", out)
		}
		return nil
	})
}

// A dependant starts once its dependency is healthy, and another one once a
// migration has ended with 0, whose unit stays active.
func TestConditions(t *testing.T) {
	h := newHost(t)
	h.project(`services:
  db:
    image: ` + nginx + `
    command: sh -c "sleep 3; touch /up; exec sleep infinity"
    init: true
    healthcheck: {test: "test -e /up", interval: 500ms}
  migrate:
    image: ` + nginx + `
    command: sh -c "sleep 2"
    restart: "no"
    depends_on: {db: {condition: service_healthy}}
  web:
    image: ` + nginx + `
    depends_on:
      db: {condition: service_healthy, restart: true}
      migrate: {condition: service_completed_successfully}
  debug:
    image: ` + nginx + `
    profiles: [debug]
`)
	h.within(2*time.Minute, "web is ready", func() error {
		if c, err := h.container("web"); err != nil || !c.Ready {
			return fmt.Errorf("status = %+v: %w", c, err)
		}
		return nil
	})
	migrated := h.checkOrder()
	if state := h.property("dockhost@migrate", "SubState"); state != "exited" {
		t.Errorf("SubState of migrate = %s, want exited", state)
	}
	if c, err := h.container("migrate"); err != nil || !c.Finished {
		t.Errorf("status of migrate = %+v, %v, want finished", c, err)
	}
	if _, code := h.status(); code != 0 {
		t.Errorf("dockhostctl status exits with %d, want 0", code)
	}
	if _, err := h.container("debug"); err == nil {
		t.Error("a service runs without its profile")
	}
	// A reload of the agent does not run the migration again.
	id := h.ready("web").ID
	h.takeOver()
	time.Sleep(2 * time.Second)
	if again := h.timestamp("dockhost@migrate", "ActiveEnterTimestampMonotonic"); again != migrated || h.ready("web").ID != id {
		t.Error("the migration, or what waits for it, was started again")
	}
}

// timestamp returns when a unit changed its state, in microseconds since the boot.
func (h *host) timestamp(unit, property string) int64 {
	h.Helper()
	var usec int64
	if _, err := fmt.Sscan(h.property(unit, property), &usec); err != nil {
		h.Fatal(err)
	}
	return usec
}

// checkOrder checks the order of the starts in TestConditions, and returns when the
// migration ended.
func (h *host) checkOrder() (migrated int64) {
	h.Helper()
	healthy := h.timestamp("dockhost@db", "ActiveEnterTimestampMonotonic")
	migrated = h.timestamp("dockhost@migrate", "ActiveEnterTimestampMonotonic")
	if start := h.timestamp("dockhost@migrate", "InactiveExitTimestampMonotonic"); start < healthy {
		h.Errorf("migrate started %d us before db was healthy", healthy-start)
	}
	if start := h.timestamp("dockhost@web", "InactiveExitTimestampMonotonic"); start < migrated || migrated-healthy < 2e6 {
		h.Errorf("web started at %d, the migration ended at %d, db was healthy at %d", start, migrated, healthy)
	}
	return migrated
}

// A failed migration keeps its dependants down.
func TestFailedMigration(t *testing.T) {
	h := newHost(t)
	h.project(`services:
  migrate: {image: "` + nginx + `", command: sh -c "exit 3", restart: "no"}
  web:
    image: ` + nginx + `
    depends_on: {migrate: {condition: service_completed_successfully}}
`)
	h.reaches("dockhost@migrate", "failed")
	time.Sleep(time.Second)
	if state := h.property("dockhost@web", "ActiveState"); state == "active" {
		t.Errorf("web is %s after a failed migration", state)
	}
}

// Hooks run in the container, before it is ready and before it stops.
func TestHooks(t *testing.T) {
	h := newHost(t)
	h.run("rm -rf /srv/hooks && mkdir /srv/hooks")
	h.project(`services:
  web:
    image: ` + nginx + `
    volumes: ["/srv/hooks:/hooks"]
    post_start:
      - {command: sh -c "sleep 1; id -un >/hooks/started", user: root}
    pre_stop:
      - command: [sh, -c, "echo $$REASON >/hooks/stopped"]
        environment: [REASON=stop]
`)
	h.ready("web")
	if got := h.output("cat /srv/hooks/started"); got != "root" {
		t.Errorf("post_start wrote %q, want root", got)
	}
	h.run("systemctl stop dockhost@web")
	if got := h.output("cat /srv/hooks/stopped"); got != "stop" {
		t.Errorf("pre_stop wrote %q, want stop", got)
	}
	h.project(`services:
  web:
    image: ` + nginx + `
    post_start: [{command: sh -c "echo no space; exit 7"}]
`)
	h.eventually("the failure is shown", func() error {
		c, err := h.container("web")
		if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, "post_start[0] exited with 7: no space") || c.Ready {
			return fmt.Errorf("status = %+v: %w", c, err)
		}
		return nil
	})
}

// A misspelled section of the user data keeps what runs.
func TestMisspelledSection(t *testing.T) {
	h := newHost(t)
	h.assign(app())
	id := h.ready("app").ID
	h.userData("#cloud-config\n" + strings.Replace(app(), "dockhost:", "dockerhost:", 1))
	h.takeOver()
	if again := h.ready("app").ID; again != id {
		t.Errorf("container = %s, want the old one %s", again, id)
	}
	s, code := h.status()
	if code == 0 || len(s.Source.Problems) != 1 || !strings.Contains(s.Source.Problems[0], `did you mean "dockhost"?`) {
		t.Errorf("status exits with %d and has the problems %q, want the misspelled key", code, s.Source.Problems)
	}
}

// What waits for a migration starts once a later try of it succeeds. systemd drops
// the start before version 254.
func TestMigrationIsRepeated(t *testing.T) {
	h := newHost(t)
	if version := h.output("systemctl --version | awk 'NR == 1 {print $2}'"); version < "254" {
		t.Skipf("systemd %s has no RestartMode=", version)
	}
	h.run("rm -rf /srv/migration && mkdir /srv/migration")
	h.project(`services:
  migrate:
    image: ` + nginx + `
    volumes: ["/srv/migration:/m"]
    command: sh -c "test -e /m/tried || { touch /m/tried; exit 1; }"
  web:
    image: ` + nginx + `
    depends_on: {migrate: {condition: service_completed_successfully}}
`)
	h.ready("web")
	if state := h.property("dockhost@migrate", "SubState"); state != "exited" {
		t.Errorf("SubState of migrate = %s, want exited", state)
	}
}

// A secret that is a systemd credential is missed before the old container is stopped.
// systemd decrypts it for the unit.
func TestEncryptedCredential(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("rm -f /etc/credstore.encrypted/shop.key") })
	h.assign(app())
	h.ready("app")
	pid := h.pid("app")
	h.assign(app("secrets: [key]") + "  secrets: {key: {credential: shop.key}}\n")
	h.eventually("the status shows the reason", func() error {
		c, err := h.container("app")
		if err != nil || c.Pending == nil || !strings.Contains(c.Pending.Error, `the host has no credential "shop.key"`) {
			return fmt.Errorf("status = %+v (%+v), %w", c, c.Pending, err)
		}
		return nil
	})
	h.runsStill(pid)
	h.run("mkdir -p /etc/credstore.encrypted && printf s3cret-encrypted | systemd-creds encrypt --with-key=host --name=shop.key - /etc/credstore.encrypted/shop.key")
	h.takeOver()
	h.eventually("the container has the secret", func() error {
		if got, _ := h.try("cat /run/dockhost/files/app/0"); got != "s3cret-encrypted" {
			return fmt.Errorf("secret = %q", got)
		}
		return nil
	})
	h.ready("app")
}
