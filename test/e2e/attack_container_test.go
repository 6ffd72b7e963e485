//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// declaresEvil runs a container with the hostile program.
func (a *attacked) declaresEvil(flags, command string) {
	a.Helper()
	if out, code := a.try("timeout 60 dockhostctl run --name evil --stop-timeout 2 --restart no -v " + hostileDir + ":/attack:ro " + flags +
		" --entrypoint /attack/hostile localhost:5000/app:1 " + command); code != 0 {
		a.Fatalf("dockhostctl run exits %d: %s", code, out)
	}
}

// TestAttackNotify has a container attack its supervisor by the notify socket. Neither the
// supervisor nor anything else notices, and the container can be stopped.
func TestAttackNotify(t *testing.T) {
	a := underAttack(t)
	begin := func(a *attacked) string {
		a.try("dockhostctl rm evil")
		a.declaresEvil("--sdnotify container", "idle ready")
		return a.property("dockhost@evil", "MainPID")
	}
	supervisor := begin(a)
	const descriptors = "ls /proc/$(systemctl show --value -p MainPID dockhost@evil)/fd | wc -l"
	before, _ := strconv.Atoi(a.output(descriptors))
	for name := range strings.FieldsSeq(`main-pid main-pid-descriptor store-descriptors barrier-descriptors descriptors-alone huge truncated-status
		empty no-assignments ugly-status false-errno exit-status endless-extension ready-again reload-forever flood`) {
		a.in(name, func(a *attacked) {
			out, code := a.try("timeout 60 docker exec evil /attack/hostile notify " + name)
			a.eventually("the supervisor has read it", func() error {
				now, err := strconv.Atoi(a.output(descriptors))
				if err != nil || now > before+4 {
					return fmt.Errorf("it has %d descriptors, before %d", now, before)
				}
				return nil
			})
			if state := a.output("systemctl show --value -p MainPID -p NRestarts -p NFileDescriptorStore dockhost@evil | xargs"); state != supervisor+" 0 0" {
				a.Errorf("SUCCESS of the attack: main process, restarts and stored descriptors are %s, want %s 0 0", state, supervisor)
				supervisor = begin(a)
			}
			if text := a.property("dockhost@evil", "StatusText"); len(text) > 1<<10 || strings.ContainsAny(text, "\x1b\x07\u202e\u2066\r") {
				a.Errorf("SUCCESS of the attack: the status is %.500q", text)
			}
			if size := a.memoryOfEvil(); size > 64 {
				a.Errorf("SUCCESS of the attack: the supervisor has %d MiB", size)
			}
			a.goesOn()
			a.Logf("exits %d: %s", code, out)
		})
	}
	for _, name := range []string{"long-flood", "stop-unanswered", "watchdog-of-zero"} {
		a.in("stop-after-"+name, func(a *attacked) {
			begin(a)
			a.run("systemd-run -q --collect --unit=" + hostileUnit + " docker exec evil /attack/hostile notify " + name)
			a.othersStart()
			if out, code := a.try("timeout 40 systemctl stop dockhost@evil"); code != 0 {
				a.Errorf("SUCCESS of the attack: the stop exits %d: %s", code, out)
			}
			a.try("systemctl stop " + hostileUnit)
			a.goesOn()
		})
	}
	a.run("dockhostctl rm evil")
	a.unharmed()
}

// TestAttackOutput has a container print as much as it can, of the worst kind. Another
// container is ready before it ends, and its supervisor and the agent stay small.
func TestAttackOutput(t *testing.T) {
	a := underAttack(t)
	for name := range strings.FieldsSeq("no-newline short-lines not-utf8 escapes journal") {
		a.in(name, func(a *attacked) {
			a.Cleanup(func() { a.try("dockhostctl rm evil") })
			a.declaresEvil("", "output "+name)
			a.othersStart()
			if state := a.property("dockhost@evil", "ActiveState"); state != "active" {
				a.Errorf("ActiveState = %s once the other container was ready: the flood has ended", state)
			}
			if size := a.memoryOfEvil(); size > 64 {
				a.Errorf("SUCCESS of the attack: the supervisor has %d MiB", size)
			}
			if out, code := a.try("timeout 40 systemctl stop dockhost@evil"); code != 0 {
				a.Errorf("SUCCESS of the attack: the stop exits %d: %s", code, out)
			}
			a.goesOn()
		})
	}
	a.in("forged-fields", func(a *attacked) {
		if out := a.output("journalctl -q --no-pager -b -o cat -u dockhost.service MESSAGE=forged"); out != "" {
			a.Errorf("SUCCESS of the attack: the agent's journal has %.300q", out)
		}
	})
}

// TestAttackHealth runs containers whose health checks, hooks and reloads print without end,
// in the worst kind. What is shown of it is short and clean.
func TestAttackHealth(t *testing.T) {
	a := underAttack(t)
	a.assignsBeside("init: true", "")
	for name, key := range map[string]string{
		"endless-check":  `healthcheck: {test: ["CMD", "/attack/hostile", "output", "escapes"], interval: 500ms, timeout: 2s, retries: 1}`,
		"no-newline":     `healthcheck: {test: ["CMD", "/attack/hostile", "output", "no-newline", "1s"], interval: 500ms, timeout: 3s, retries: 1}`,
		"endless-hook":   `post_start: [{command: ["/attack/hostile", "output", "escapes", "2s"]}]`,
		"endless-reload": `x-dockhost: {reload: {exec: ["/attack/hostile", "output", "escapes", "2s"]}}`,
	} {
		a.in(name, func(a *attacked) {
			a.assign(beside("entrypoint: [/attack/hostile, idle]\n      volumes: ['"+hostileDir+":/attack:ro']\n      stop_grace_period: 1s\n      "+key, ""))
			a.reaches("dockhost@evil", "active", "failed")
			a.try("timeout 20 systemctl reload dockhost@evil")
			a.othersStart()
			shown, _ := a.try("dockhostctl status; dockhostctl status --json; systemctl show -p StatusText dockhost@evil")
			if len(shown) > 64<<10 || strings.ContainsAny(shown, "\x1b\x07\u202e\u2066\x00") {
				a.Errorf("SUCCESS of the attack: the status has %d bytes: %.500q", len(shown), shown)
			}
			if size := a.memoryOfEvil(); size > 64 {
				a.Errorf("SUCCESS of the attack: the supervisor has %d MiB", size)
			}
			a.goesOn()
		})
	}
}
