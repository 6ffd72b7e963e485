//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/doctor"
)

// fault is something that a check of doctor must find, and how a script makes it and
// undoes it.
type fault struct {
	check      string
	state      doctor.State
	found      string
	make, undo string
}

// faults are those that leave the host's containers alone.
func faults() []fault {
	const daemon, runtime, unit = "/etc/docker/daemon.json", "/usr/libexec/dockhost/dockhost-runtime", "/etc/systemd/system/dockhost@app.service.d/doctor.conf"
	const cloudInit = `{"v1": {"init": {"recoverable_errors": {"WARNING": ["planted"]}}}}`
	// Docker 20.10 keeps a setting that is not in the file any more at a reload.
	const noMirror = "until docker info -f '{{.RegistryConfig.Mirrors}}' | grep -qF '[]'; do sleep 0.1; done; cp /run/daemon.json " + daemon
	dropIn := func(path, section string) string {
		return "mkdir -p $(dirname " + path + ") && printf '" + section + "' >" + path + " && systemctl daemon-reload"
	}
	remove := func(path string) string { return "rm " + path + " && systemctl daemon-reload" }
	return []fault{
		{"agent", doctor.Fail, "does not answer", "systemctl stop dockhost.socket dockhost.service", "systemctl start dockhost.socket dockhost.service"},
		{"docker-config", doctor.Fail, daemon + ":1:", "cp " + daemon + " /run/daemon.json && echo '{,' >" + daemon, "cp /run/daemon.json " + daemon},
		{"docker-runtime", doctor.Fail, "not executable", "chmod 644 " + runtime, "chmod 755 " + runtime},
		{"docker-live-restore", doctor.Warn, "live-restore is off", "true", "true"},
		{"docker-logs", doctor.Warn, "without a limit", "true", "true"},
		{"docker-nofile", doctor.Warn, "1024 files", dropIn("/run/systemd/system/containerd.service.d/doctor.conf", "[Service]\\nLimitNOFILE=1024\\n"), remove("/run/systemd/system/containerd.service.d/doctor.conf")},
		{"delegation", doctor.Fail, "dockhost@doctor.service does not own its cgroup", dropIn("/run/systemd/system/dockhost@doctor.service.d/doctor.conf", "[Service]\\nDelegate=no\\n"), remove("/run/systemd/system/dockhost@doctor.service.d/doctor.conf")},
		{"changed-units", doctor.Warn, "/run/systemd/system/docker.service", dropIn("/run/systemd/system/docker.service", "[Service]\\nExecStart=/usr/sbin/dockerd -H fd://\\n"), remove("/run/systemd/system/docker.service")},
		{"changed-units", doctor.OK, unit, dropIn(unit, "[Service]\\nNice=1\\n"), remove(unit)},
		{"masked-units", doctor.Fail, "containerd.service is masked", "systemctl mask --runtime --quiet containerd.service", "systemctl unmask --runtime --quiet containerd.service"},
		{"enabled-units", doctor.Fail, "dockhost.service is disabled", "systemctl disable --quiet dockhost.service", "systemctl enable --quiet dockhost.service"},
		{"cloud-init", doctor.Warn, "exit status 2): planted", "mv /run/cloud-init/status.json /run/cloud-init/status.doctor && echo '" + cloudInit + "' >/run/cloud-init/status.json", "mv /run/cloud-init/status.doctor /run/cloud-init/status.json"},
		{"mirrors", doctor.Warn, "https://127.0.0.1:9/ of Docker Hub does not answer", "cp " + daemon + " /run/daemon.json && jq '.[\"registry-mirrors\"] = [\"https://127.0.0.1:9\"]' /run/daemon.json >" + daemon + " && systemctl reload docker", "jq '.[\"registry-mirrors\"] = []' /run/daemon.json >" + daemon + " && systemctl reload docker; " + noMirror},
		{"unattended-upgrades", doctor.Warn, "stops all containers", "mkdir -p /etc/apt/apt.conf.d && echo 'APT::Periodic::Unattended-Upgrade \"1\";' >/etc/apt/apt.conf.d/99doctor; [ -e /usr/bin/unattended-upgrade ] || ln -s true /usr/bin/unattended-upgrade", "rm /etc/apt/apt.conf.d/99doctor; [ \"$(readlink /usr/bin/unattended-upgrade)\" != true ] || rm /usr/bin/unattended-upgrade"},
		{"persistent-journal", doctor.Warn, "Storage=volatile", "echo 'Storage=volatile' >/etc/systemd/journald.conf.d/zz-doctor.conf", "rm /etc/systemd/journald.conf.d/zz-doctor.conf"},
		{"metadata-container", doctor.Warn, "containers in a network of Docker cannot reach the metadata service", "iptables -I INPUT -i docker0 -d 169.254.169.254 -j REJECT", "iptables -D INPUT -i docker0 -d 169.254.169.254 -j REJECT"},
		{"disk-inodes", doctor.Fail, "/var/lib/dockhost has 0 inodes left of 2", "mount -t tmpfs -o nr_inodes=2 doctor /var/lib/dockhost && touch /var/lib/dockhost/full", "umount -l /var/lib/dockhost"},
		{"ordering-cycles", doctor.Fail, "deleted to break ordering cycle", makeCycle, "true"},
		{"metadata", doctor.Fail, "metadata service of EC2 at 169.254.169.254", "systemctl stop " + metadataUnit, "true"},
		// What the locked mode of systemd-imdsd does.
		{"metadata", doctor.Fail, "systemd-imdsd has locked", "ip addr del 169.254.169.254/32 dev lo && ip route add prohibit 169.254.169.254/32", "ip route del prohibit 169.254.169.254/32; ip addr replace 169.254.169.254/32 dev lo"},
	}
}

// makeCycle starts two units that each wait for the other. What systemd says about them
// stays in the journal of this boot.
const makeCycle = `for one in a b; do
	other=$(echo $one | tr ab ba)
	printf "[Unit]\\nWants=doctor-$other.service\\nAfter=doctor-$other.service\\n[Service]\\nType=oneshot\\nExecStart=true\\n" >/run/systemd/system/doctor-$one.service
done
systemctl daemon-reload; systemctl start doctor-a.service; rm /run/systemd/system/doctor-[ab].service; systemctl daemon-reload; journalctl --sync`

// podman answers every request as Podman's service answers /version.
const podman = `import http.server, json, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"Version": "5.4.2", "ApiVersion": "1.41", "MinAPIVersion": "1.24", "Components": [{"Name": "Podman Engine", "Version": "5.4.2"}]}).encode()
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *args):
        pass
socketserver.UnixStreamServer("/run/doctor-podman.sock", Handler).serve_forever()
`

// TestDoctorKnowsPodman has DOCKER_HOST name a socket at which Podman answers.
func TestDoctorKnowsPodman(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("systemctl stop doctor-podman; rm -f /run/doctor-podman.*") })
	h.write("/run/doctor-podman.py", podman)
	h.run("rm -f /run/doctor-podman.sock; systemd-run -q --collect --unit=doctor-podman python3 /run/doctor-podman.py")
	h.eventually("doctor finds it", func() error {
		return h.diagnosesBy("DOCKER_HOST=unix:///run/doctor-podman.sock dockhostctl doctor --json", "docker", doctor.Fail, "Podman 5.4.2 answers at Docker's socket")
	})
}

// diagnoses makes a check, and returns nil if it has found this.
func (h *host) diagnoses(check string, state doctor.State, found string) error {
	h.Helper()
	return h.diagnosesBy("dockhostctl doctor --json", check, state, found)
}

// diagnosesBy is diagnoses by a command.
func (h *host) diagnosesBy(command, check string, state doctor.State, found string) error {
	h.Helper()
	out, _ := h.try(command + " " + check)
	var report doctor.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return fmt.Errorf("dockhostctl doctor --json: %w: %s", err, out)
	}
	if !slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
		return f.Check == check && f.State == state && strings.Contains(f.Found, found) && (f.Cure != "" || state == doctor.OK)
	}) {
		return fmt.Errorf("doctor %s = %s, want %s, %q and a cure", check, out, state, found)
	}
	return nil
}

// TestDoctorFindsFaults breaks one thing after the other on a host with a container, and
// undoes it: doctor finds each, and then no longer.
func TestDoctorFindsFaults(t *testing.T) {
	h := newHost(t)
	const address = "169.254.169.254"
	h.onCloud(address, map[string]string{"sys_vendor": "Amazon EC2"})
	h.serve("Ec2", address)
	h.cloudUserData(good())
	h.takeOver()
	h.ready("app")
	for _, check := range []string{"agent", "user-data", "containers", "docker", "docker-api", "registries", "metadata", "metadata-container", "systemd"} {
		if err := h.diagnoses(check, doctor.OK, ""); err != nil {
			t.Error(err)
		}
	}
	for _, fault := range faults() {
		h.subtest(fault.check, func(h *host) {
			h.Cleanup(func() { h.run(fault.undo) })
			h.run(fault.make)
			h.eventually("doctor finds it", func() error { return h.diagnoses(fault.check, fault.state, fault.found) })
		})
		if fault.undo == "true" {
			continue
		}
		h.eventually("doctor finds it no longer", func() error {
			if h.diagnoses(fault.check, fault.state, fault.found) == nil {
				return errors.New("it still finds " + fault.found)
			}
			return nil
		})
	}
}

// TestDoctorNeedsNoDocker stops Docker's process in its tracks: doctor still ends, and
// says so.
func TestDoctorNeedsNoDocker(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("systemctl kill -s CONT docker.service") })
	h.run("systemctl kill -s STOP docker.service")
	out, code := h.try("timeout 60 dockhostctl doctor")
	if code != 3 || !strings.Contains(out, "Docker does not answer") || !strings.Contains(out, "systemctl restart docker.service") {
		t.Errorf("dockhostctl doctor exits with %d: %s, want 3, the cause and the cure", code, out)
	}
}

// TestBugreportHasNoSecret plants secrets wherever a host may have them: none is in the
// report.
func TestBugreportHasNoSecret(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() {
		h.run(`rm -rf /root/report.tar.gz /run/systemd/system/docker.service.d/doctor.conf /root/.docker/config.json
			[ ! -e /run/daemon.json ] || mv /run/daemon.json /etc/docker/daemon.json; systemctl stop planted.service 2>/dev/null || true; systemctl daemon-reload`)
	})
	h.assign("# planted-comment\n" + app(`environment: {DB_URL: planted-env, TOKEN: planted-token}`, `labels: {team: planted-label}`,
		`command: ["-listen", ":8080"]`, `healthcheck: {test: ["CMD", "planted-check"], interval: 1h}`))
	h.ready("app")
	h.run(`mkdir -p /run/systemd/system/docker.service.d /root/.docker /etc/dockhost
		cp /etc/docker/daemon.json /run/daemon.json
		jq '.["http-proxy"] = "http://deploy:planted-proxy@proxy.test"' /run/daemon.json >/etc/docker/daemon.json
		printf '[Service]\nEnvironment=A=planted-unit "B=planted-quoted x"\nSetCredential=db:planted-credential\n' >/run/systemd/system/docker.service.d/doctor.conf
		printf '{"auths": {"registry.test:5000": {"auth": "%s"}}}' $(printf deploy:planted-login | base64) >/root/.docker/config.json
		printf '# password: planted-yaml\n' >/etc/dockhost/dockhost.yaml
		logger -t dockhost 'started with planted-env and planted-label, as deploy:planted-login, --db-password planted-flag at https://u:planted-url@registry.test'
		journalctl --sync`)
	out := h.run("umask 022; dockhostctl bugreport -o /root/report.tar.gz")
	if !strings.Contains(out, "docker/containers/app.json") || !strings.Contains(out, "\nid: ") {
		t.Errorf("dockhostctl bugreport prints %s, want the content and an id", out)
	}
	if mode := h.output("stat -c '%a %U' /root/report.tar.gz"); mode != "600 root" {
		t.Errorf("mode and owner = %s, want 600 root", mode)
	}
	report := h.run("tar -xzOf /root/report.tar.gz")
	for _, kept := range []string{`"DB_URL=***"`, "started with *** and ***", "***@registry.test", "Description=dockhost node agent", "dockhost@app.service", `"check": "docker-runtime"`} {
		if !strings.Contains(report, kept) {
			t.Errorf("the report lacks %s", kept)
		}
	}
	for line := range strings.Lines(report) {
		if strings.Contains(line, "planted-") || strings.Contains(line, "s3cret") {
			t.Errorf("the report has a secret: %s", line)
		}
	}
	if out, code := h.try("dockhostctl bugreport -o /root/report.tar.gz"); code != 1 || !strings.Contains(out, "exists, and is not replaced") {
		t.Errorf("dockhostctl bugreport onto a file exits with %d: %s", code, out)
	}
}
