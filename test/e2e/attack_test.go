//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// The tests TestAttack* are for `make attack`. `make e2e` leaves them out.

// The program of test/attack/hostile on the host, and what an attack would leave.
const (
	hostileDir     = "/srv/attack"
	hostileProgram = hostileDir + "/hostile"
	hostileUnit    = "test-hostile"
	pwned          = "/run/pwned"
)

// attacked is a host on which a container runs that must not notice any attack.
type attacked struct {
	*host

	// before is what trace printed then.
	before string
	// said are the problems of the last user data.
	said []string
}

// underAttack assigns the container app, and installs the hostile program.
func underAttack(t *testing.T) *attacked {
	t.Helper()
	a := &attacked{host: newHost(t)}
	a.installHostile()
	a.assign(good())
	a.ready("app")
	a.begins()
	return a
}

// begins notes how the host is before the attacks.
func (a *attacked) begins() {
	a.Helper()
	a.run("touch " + hostileDir + "/since")
	a.before = a.trace()
}

// beside returns the section of app and of a container evil with these keys, and what else
// the section has.
func beside(keys, rest string) string {
	section := strings.Replace(good(), "  registries:", "    evil:\n      image: localhost:5000/app:1\n      "+keys+"\n  registries:", 1)
	if rest != "" {
		section += "  " + rest + "\n"
	}
	return section
}

// assignsBeside assigns both before the attacks: the first other container gives app a
// network that they share.
func (a *attacked) assignsBeside(keys, rest string) {
	a.Helper()
	a.assign(beside(keys, rest))
	a.ready("app")
	a.begins()
}

// installHostile copies the program of test/attack/hostile to the host.
func (h *host) installHostile() {
	h.Helper()
	binary, err := os.ReadFile(h.program("../attack/hostile"))
	if err != nil {
		h.Fatal(err)
	}
	script := "mkdir -p " + hostileDir + "; cat >" + hostileProgram + ".new && chmod 755 " + hostileProgram + ".new && mv " + hostileProgram + ".new " + hostileProgram
	if out, code := h.tryWith(script, string(binary)); code != 0 {
		h.Fatalf("install the hostile program: %s", out)
	}
	h.Cleanup(func() {
		h.try("systemctl stop " + hostileUnit + "; systemctl reset-failed " + hostileUnit + "; rm -rf " + hostileDir + " " + pwned + "* " + policyFile)
	})
}

// hostile runs a role of the hostile program as a unit.
func (a *attacked) hostile(args string) {
	a.Helper()
	a.run("systemd-run -q --collect --unit=" + hostileUnit + " -p StandardOutput=journal " + hostileProgram + " " + args)
}

// goesOn checks that the agent and the container app are the processes of before, and that
// the agent has not grown.
func (a *attacked) goesOn() {
	a.Helper()
	const most = 300 // MiB
	after := a.trace()
	if processes(after) != processes(a.before) {
		a.Errorf("SUCCESS of the attack: agent and app were\n%s\nnow:\n%s", processes(a.before), after)
	}
	if size := a.memoryOf("dockhost"); size > most {
		a.Errorf("SUCCESS of the attack: the agent has %d MiB", size)
	}
}

// trace prints the processes that must keep running, and what an attack could leave behind.
func (a *attacked) trace() string {
	a.Helper()
	return a.run(`
		systemctl show -p MainPID -p NRestarts -p ActiveState dockhost.service dockhost@app.service
		docker ps -a --no-trunc --format 'container {{.ID}} {{.Names}} {{.State}}' | sort
		docker volume ls -q; docker network ls -q | sort
		systemctl list-units --all --plain --no-legend 'dockhost*' 'debug-shell*' '*evil*' | awk '{print $1, $3, $4}' | sort
		find ` + pwned + `* /srv/pwned* /etc/cron.d/*evil* 2>/dev/null || :
		find /etc /run/systemd/system /run/systemd/generator* /usr/lib/systemd /root -newer ` + hostileDir + `/since -type f ! -path '/etc/dockhost/*' 2>/dev/null || :
		ls /run/dockhost /run/dockhost/containers /run/dockhost/state /run/dockhost/runtime`)
}

// unharmed checks that all is as it was before the attacks.
func (a *attacked) unharmed() {
	a.Helper()
	if after := a.trace(); after != a.before {
		a.Errorf("the host changed by the attack:\n%s\nbefore:\n%s", after, a.before)
		// The next attack is judged by itself.
		policy := a.run("cat " + policyFile + " 2>/dev/null || :; rm -f " + policyFile)
		a.assign(good())
		a.ready("app")
		if policy != "" {
			a.write(policyFile, policy)
		}
		a.before = a.trace()
	}
}

// processes returns what trace prints of the agent and of app.
func processes(trace string) string {
	return strings.Join(strings.SplitN(trace, "\n", 9)[:7], "\n")
}

// in runs an attack as a subtest.
func (a *attacked) in(name string, attack func(a *attacked)) {
	a.Run(name, func(t *testing.T) {
		sub := &attacked{&host{t}, a.before, a.said}
		attack(sub)
		a.before, a.said = sub.before, sub.said
	})
}

// fetched has the agent read this user data, and returns the status afterwards. The agent
// may look at any moment, so the file is replaced as a whole, and it may still be at it when
// the request is answered: unless the problems are others, it has the time of the intake.
func (a *attacked) fetched(text string) api.Status {
	a.Helper()
	a.write(seed+"/user-data.new", text)
	a.run("mv " + seed + "/user-data.new " + seed + "/user-data; timeout 120 curl -sS -o /dev/null -X POST --unix-socket /run/dockhost/agent.sock http://dockhost/v1/userdata/fetch")
	const intake = 15 * time.Second
	s, _ := a.status()
	for end := time.Now().Add(intake); slices.Equal(s.Source.Problems, a.said) && time.Now().Before(end); s, _ = a.status() {
		time.Sleep(longestPause)
	}
	a.said = s.Source.Problems
	return s
}

// refuses checks that the last known good is in force, and that a problem has this sentence.
func (a *attacked) refuses(s api.Status, says string) {
	a.Helper()
	all := strings.Join(s.Source.Problems, "\n")
	if !s.Source.LastKnownGood || says == "" || !strings.Contains(all, says) {
		a.Errorf("SUCCESS of the attack: last known good in force: %v, problems %q, want %q", s.Source.LastKnownGood, all, says)
	}
	if strings.ContainsFunc(all, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e }) {
		a.Errorf("the problems have characters that a terminal obeys: %q", all)
	}
}

// memoryOf returns the resident memory of a unit's main process, in MiB.
func (a *attacked) memoryOf(unit string) int {
	a.Helper()
	return a.memory(unit, "VmRSS")
}

// memory returns a field of the status of a unit's main process (proc_pid_status(5)), in MiB.
func (a *attacked) memory(unit, field string) int {
	a.Helper()
	var kilobytes int
	_, _ = fmt.Sscan(a.output("sed -n 's/^"+field+":[^0-9]*//p' /proc/"+a.property(unit, "MainPID")+"/status"), &kilobytes)
	return kilobytes >> 10
}
