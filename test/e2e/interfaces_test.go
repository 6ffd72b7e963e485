//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEverybodyReads uses the socket as a user without any right: the status and the
// history are shown, without environment, and what changes something is refused with who
// may.
func TestEverybodyReads(t *testing.T) {
	h := newHost(t)
	h.assign(app("environment: {TOKEN: s3cret-canary}"))
	h.ready("app")
	// nobody has a shell of its own by setpriv alone: no group, no capability.
	const stranger = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "
	for _, command := range []string{"dockhostctl status --json", "dockhostctl history", "dockhostctl userdata"} {
		if out, code := h.try(stranger + command); code != 0 || strings.Contains(out, "canary") {
			t.Errorf("%s by nobody exits %d: %s", command, code, out)
		}
	}
	for _, command := range []string{"dockhostctl update app", "dockhostctl hold app", "dockhostctl gc --dry-run", "dockhostctl rm app"} {
		if out, code := h.try(stranger + command); code != 1 || !strings.Contains(out, "only root and members of the group docker") || !strings.Contains(out, "sudo") {
			t.Errorf("%s by nobody exits %d: %s, want 1 and who may", command, code, out)
		}
	}
	if out, code := h.try(stranger + "dockhostctl userdata --raw"); code != 1 || !strings.Contains(out, "only root may") {
		t.Errorf("userdata --raw by nobody exits %d: %s", code, out)
	}
	// A member of the group may change something, by a supplementary group.
	member := "setpriv --reuid=65534 --regid=65534 --groups=$(getent group docker | cut -d: -f3) --inh-caps=-all "
	if out, code := h.try(member + "dockhostctl hold app"); code != 0 {
		t.Errorf("hold by a member of docker exits %d: %s", code, out)
	}
	if out, code := h.try(member + "dockhostctl userdata --raw"); code != 1 || !strings.Contains(out, "only root may") {
		t.Errorf("userdata --raw by a member of docker exits %d: %s", code, out)
	}
	// As many silent clients as there may be keep nobody else away.
	h.run(stranger + `timeout 60 python3 -c '
import socket, time
clients = []
for i in range(100):
	client = socket.socket(socket.AF_UNIX)
	client.connect("/run/dockhost/agent.sock")
	clients.append(client)
print("connected", flush=True)
time.sleep(50)' >/tmp/silent 2>&1 & timeout 30 sh -c 'until grep -q connected /tmp/silent; do sleep 0.1; done'`)
	if _, code := h.status(); code != 0 {
		t.Errorf("status beside 100 silent clients exits %d", code)
	}

	// An administrator may close the socket. Then nothing is shown without the agent either.
	const dropIn = "/run/systemd/system/dockhost.socket.d"
	h.Cleanup(func() { h.run("rm -rf " + dropIn + "; systemctl daemon-reload") })
	h.write(dropIn+"/closed.conf", "[Socket]\nSocketMode=0660\n")
	h.run("systemctl daemon-reload; systemctl restart dockhost.socket")
	if out, code := h.try(stranger + "dockhostctl status"); code != 1 || !strings.Contains(out, "no access to the agent") || !strings.Contains(out, "sudo") || strings.Contains(out, "app") {
		t.Errorf("status by nobody with a closed socket exits %d: %s, want 1 and sudo alone", code, out)
	}
}

// TestLoadBalancerAndPrometheusSee has an agent answer a load balancer and Prometheus, and
// write the file for node_exporter. A port that is taken is a problem, and is tried again.
func TestLoadBalancerAndPrometheusSee(t *testing.T) {
	h := newHost(t)
	h.run("mkdir -p /run/node")
	h.Cleanup(func() { h.run("rm -rf /run/node") })
	h.write("/etc/dockhost/dockhost.yaml", "health: {listen: ':8081'}\nmetrics: {listen: ':9469', textfile: /run/node/dockhost.prom}\n")
	h.assign(good())
	h.ready("app")
	h.health(200, "ready")
	h.prometheusSees(`dockhost_container_ready{name="app"}`)
	for what, command := range map[string]string{
		"the socket": "curl -sf --unix-socket /run/dockhost/agent.sock http://dockhost/metrics", "the port": "curl -sf http://localhost:9469/metrics", "the file": "cat /run/node/dockhost.prom",
	} {
		h.eventually(what+" has the container", func() error {
			if out := h.output(command); !strings.Contains(out, `dockhost_container_ready{name="app"} 1`) {
				return fmt.Errorf("metrics: %s", out)
			}
			return nil
		})
	}
	h.run("systemctl stop dockhost@app")
	h.health(503, "app: inactive")
	h.eventually("the file follows", func() error {
		if out := h.output("cat /run/node/dockhost.prom"); !strings.Contains(out, `dockhost_container_ready{name="app"} 0`) {
			return fmt.Errorf("metrics: %s", out)
		}
		return nil
	})
	h.run("systemctl start dockhost@app")
	h.health(200, "ready")

	h.portIsTakenAndFreed()
	h.eventually("the file of before is removed", func() error {
		if out, code := h.try("ls -l /run/node/dockhost.prom"); code == 0 {
			return errors.New(out)
		}
		return nil
	})
}

// portIsTakenAndFreed moves the health listener to a port that another process uses: that
// is a problem until the port is free.
func (h *host) portIsTakenAndFreed() {
	h.Helper()
	h.run("systemd-run --quiet --unit=taken systemd-socket-activate -l 8082 /bin/cat")
	h.Cleanup(func() { h.try("systemctl stop taken") })
	h.eventually("the port is taken", func() error {
		if _, code := h.try("ss -Hltn 'sport = :8082' | grep -q ."); code != 0 {
			return fmt.Errorf("nobody listens")
		}
		return nil
	})
	h.write("/etc/dockhost/dockhost.yaml", "health: {listen: ':8082'}\n")
	h.eventually("the problem is in the status", func() error {
		s, code := h.status()
		if code != 3 || !slices.ContainsFunc(s.Source.Problems, func(p string) bool { return strings.Contains(p, "health.listen") && strings.Contains(p, "ss -ltnp") }) {
			return fmt.Errorf("status exits %d: %q", code, s.Source.Problems)
		}
		return nil
	})
	if out, code := h.try("curl -s http://localhost:8081/"); code == 0 {
		h.Errorf("the port of before still answers: %s", out)
	}
	h.run("systemctl stop taken")
	h.eventually("the port is served", func() error {
		if s, code := h.status(); code != 0 {
			return fmt.Errorf("status exits %d: %q", code, s.Source.Problems)
		}
		return nil
	})
	if out := h.output("curl -s http://localhost:8082/"); out != "ready" {
		h.Errorf("the port answers %q", out)
	}
}

// health waits until the health listener answers with a status and a line.
func (h *host) health(code int, line string) {
	h.Helper()
	h.eventually(fmt.Sprintf("health answers %d %q", code, line), func() error {
		if out := h.output("curl -s -w '%{http_code}' http://localhost:8081/"); out != fmt.Sprintf("%s\n%d", line, code) {
			return fmt.Errorf("answer %q", out)
		}
		return nil
	})
}

// freeAddress returns an address of this machine at which nothing listens. Tests of other
// hosts run at the same time.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// prometheusSees has Debian's Prometheus scrape the host, with the alerts of the package,
// until it has a metric. test/observability/check.sh installs it.
func (h *host) prometheusSees(query string) {
	h.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		h.Log("no Prometheus on this machine (run: test/observability/check.sh)")
		return
	}
	address, err := exec.CommandContext(h.Context(), "docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", hostName()).Output()
	if err != nil {
		h.Fatal(err)
	}
	rules, err := filepath.Abs("../../packaging/observability/dockhost.rules.yaml")
	if err != nil {
		h.Fatal(err)
	}
	dir := h.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n- job_name: dockhost\n  static_configs: [{targets: ['%s:9469']}]\n",
		rules, strings.TrimSpace(string(address)))
	if err := os.WriteFile(dir+"/prometheus.yml", []byte(config), 0o600); err != nil {
		h.Fatal(err)
	}
	listen := freeAddress(h.T)
	server := exec.CommandContext(h.Context(), program, "--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+listen)
	log, err := os.Create(dir + "/log")
	if err != nil {
		h.Fatal(err)
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		h.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	h.eventually("Prometheus has "+query, func() error {
		response, err := http.Get("http://" + listen + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			text, _ := os.ReadFile(dir + "/log")
			return fmt.Errorf("%w: %s", err, text)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		var answer struct {
			Data struct {
				Result []struct{ Value []any } `json:"result"`
			} `json:"data"`
		}
		if err := json.Unmarshal(text, &answer); err != nil || len(answer.Data.Result) != 1 || answer.Data.Result[0].Value[1] != "1" {
			return fmt.Errorf("answer: %s", text)
		}
		return nil
	})
}
