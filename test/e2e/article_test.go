//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// articlePlain is the first unit of the article on which dockhost is based, with
// an image that the host can pull.
const articlePlain = `[Unit]
Description=MyApp
After=docker.service
Requires=docker.service

[Service]
TimeoutStartSec=0
ExecStartPre=-/usr/bin/docker kill nginx
ExecStartPre=-/usr/bin/docker rm nginx
ExecStartPre=/usr/bin/docker pull localhost:5000/nginx:1.22
ExecStart=/usr/bin/docker run --name nginx -p 443:443 localhost:5000/nginx:1.22

[Install]
WantedBy=multi-user.target
`

// articleWrapped is the second unit of that article; only the image differs.
const articleWrapped = `[Unit]
Description=MyApp
After=docker.service
Requires=docker.service

[Service]
TimeoutStartSec=0
# put your environment options in a file
EnvironmentFile=/etc/sysconfig/mycontainer
ExecStart=/usr/local/bin/systemd-docker --cgroups name=all --env run -it --rm --name %n  -p 443:443 localhost:5000/nginx:1.22
Restart=always
RestartSec=10s
Type=notify
NotifyAccess=all
TimeoutStartSec=600
TimeoutStopSec=15

[Install]
WantedBy=multi-user.target
`

// TestArticlePlainUnitWorks runs the article's plain unit with docker run and
// with dockhost run.
func TestArticlePlainUnitWorks(t *testing.T) {
	for name, unit := range map[string]string{
		"as it is":          articlePlain,
		"with dockhost run": strings.Replace(articlePlain, "ExecStart=/usr/bin/docker run", "ExecStart=/usr/bin/dockhost run", 1),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.login()
			h.unit("nginx.service", unit)
			h.start("nginx.service")
			h.eventually("nginx answers", func() error { return h.answers("https://localhost/") })
			if strings.Contains(unit, "dockhost") {
				h.inUnit("nginx", "nginx.service")
			}
			h.run("systemctl stop nginx.service")
		})
	}
}

// TestArticleWrappedUnitWorks runs the article's unit for systemd-docker with
// dockhost under both of its names.
func TestArticleWrappedUnitWorks(t *testing.T) {
	for _, path := range []string{"/usr/local/bin/systemd-docker", "/usr/bin/dockhost"} {
		t.Run(path, func(t *testing.T) {
			h := newHost(t)
			h.login()
			h.write("/etc/sysconfig/mycontainer", "GREETING=hello from the unit\nPATH=/nowhere\n")
			h.run("ln -sf /usr/bin/dockhost /usr/local/bin/systemd-docker")
			t.Cleanup(func() { h.run("rm -rf /usr/local/bin/systemd-docker /etc/sysconfig") })
			h.unit("mycontainer.service", strings.Replace(articleWrapped, "/usr/local/bin/systemd-docker", path, 1))
			h.start("mycontainer.service")
			h.eventually("nginx answers", func() error { return h.answers("https://localhost/") })
			h.inUnit("mycontainer.service", "mycontainer.service")
			env := h.output("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' mycontainer.service")
			if !strings.Contains(env, "GREETING=hello from the unit") || strings.Contains(env, "/nowhere") || strings.Contains(env, "INVOCATION_ID") || strings.Contains(env, "NOTIFY_SOCKET") {
				t.Errorf("environment of the container = %s, want GREETING of the file and nothing of systemd", env)
			}
			if tty := h.output("docker inspect -f '{{.Config.Tty}} {{.Config.OpenStdin}}' mycontainer.service"); tty != "true true" {
				t.Errorf("Tty, OpenStdin = %s, want true true", tty)
			}
			if n := strings.Count(h.said("mycontainer.service"), "Delegate=yes"); n != 1 {
				t.Errorf("the journal reports %d times that Delegate=yes is missing, want once:\n%s", n, h.said("mycontainer.service"))
			}
			before := h.pid("mycontainer.service")
			h.run("systemctl daemon-reload")
			if after := h.pid("mycontainer.service"); after != before {
				t.Errorf("pid = %s, want %s", after, before)
			}
			h.inUnit("mycontainer.service", "mycontainer.service")
			h.run("systemctl stop mycontainer.service")
			if result := h.property("mycontainer.service", "Result"); result != "success" {
				t.Errorf("Result = %s, want success", result)
			}
			h.nothingLeft("mycontainer.service")
		})
	}
}

// TestArticleSeedDirectoryTakesEffect changes user data as the article does: in a
// seed directory, with the real cloud-init, without a reboot.
func TestArticleSeedDirectoryTakesEffect(t *testing.T) {
	h := newHost(t)
	h.started()
	const dir = "/var/lib/cloud/seed/nocloud-net"
	runcmd := "runcmd:\n - [ sh, -c, 'echo ==== $(date) ====; echo HI WORLD >>/root/article; echo =======' ]\n"
	h.Cleanup(func() { h.run("cloud-init clean --logs; rm -f /root/article") })
	restart := "systemctl restart cloud-init"
	if _, code := h.try("systemctl cat cloud-init.service >/dev/null 2>&1"); code != 0 {
		// Since cloud-init 24.3 each stage is a unit that talks to the first one.
		// A stage that starts before that one has restarted waits for ever.
		restart = "for stage in init-main init-local init-network config final; do systemctl restart cloud-$stage; done"
	}
	change := func(does string) {
		h.write(dir+"/meta-data", "ami-id: ami-4be0633c\nlocal-hostname: ip-172-31-10-159.eu-west-1.compute.internal\n")
		h.write(dir+"/user-data", assigned(does)+runcmd)
		// This mimics a freshly created instance.
		h.run("rm -rf /var/lib/cloud/instance/*; rm -f /run/cloud-init/.instance-id; " + restart)
	}
	change("first")
	h.ready("tool")
	h.ran("first")
	app := h.pid("app")
	change("second")
	h.ran("second")
	if h.pid("app") != app {
		t.Error("app was restarted without a change")
	}
	journal := h.journal("dockhost")
	for _, want := range []string{"assignment accepted", dir + "/user-data", "restarting container"} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal of dockhost lacks %q:\n%s", want, journal)
		}
	}
	if out, _ := h.try("cloud-init status --long; cat /var/log/cloud-init.log | grep -ci traceback"); strings.Contains(out, "status: error") {
		t.Errorf("cloud-init status = %s, want no error", out)
	}
}
