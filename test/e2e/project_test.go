//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// inNetwork runs a script in the network of a container, with its names.
func (h *host) inNetwork(name, script string) (string, int) {
	h.Helper()
	return h.try(fmt.Sprintf(`
		conf=$(docker inspect -f '{{.ResolvConfPath}}' %[1]s) pid=$(docker inspect -f '{{.State.Pid}}' %[1]s)
		export conf
		unshare -m sh -c 'mount --bind $conf /etc/resolv.conf && exec nsenter -t '$pid' -n %[2]s'`, name, script))
}

// finds waits until a container reaches another one by name.
func (h *host) finds(from, name string) {
	h.Helper()
	h.eventually(from+" finds "+name, func() error {
		if out, code := h.inNetwork(from, "curl -fsS -o /dev/null http://"+name+":8080/healthz"); code != 0 {
			return fmt.Errorf("curl exits %d: %s", code, out)
		}
		return nil
	})
}

// removesNetworks removes the networks of a test.
func (h *host) removesNetworks() {
	h.Helper()
	h.Cleanup(func() {
		h.try("systemctl stop dockhost.service dockhost.socket 'dockhost@*.service'; docker network prune -f")
	})
}

const logins = "x-dockhost: {registries: {'localhost:5000': {username: deploy, password: s3cret}}}\n"

// project is a Compose file with two services and a volume.
func project(web, db string) string {
	return "services:\n" +
		"  " + web + ": {image: 'localhost:5000/app:1', depends_on: [" + db + "]}\n" +
		"  " + db + ": {image: 'localhost:5000/app:1', container_name: " + db + "-store, volumes: ['data:/data']}\n" +
		"volumes: {data: }\n" + logins
}

// TestProjects runs two files with a volume and services of the same names in Docker's
// view: each has its own, and its services find each other by name.
func TestProjects(t *testing.T) {
	h := newHost(t)
	h.removesNetworks()
	h.run("docker volume create --label com.docker.compose.project=shop --label com.docker.compose.volume=data shop_data && echo old >$(docker volume inspect -f '{{.Mountpoint}}' shop_data)/kept")
	h.write("/etc/dockhost/containers/shop.yaml", project("web", "db"))
	h.write("/etc/dockhost/containers/blog.yaml", project("blog", "blogdb"))
	h.takeOver()
	for _, name := range []string{"web", "db", "blog", "blogdb"} {
		h.ready(name)
	}
	h.finds("web", "db")
	h.finds("web", "db-store")
	h.finds("db-store", "web")
	if out, code := h.inNetwork("web", "getent hosts blogdb"); code == 0 {
		t.Errorf("web finds %q of another project", out)
	}
	if got := h.output("docker volume ls -q | sort | xargs"); got != "blog_data shop_data" {
		t.Errorf("volumes = %q, want one for each project", got)
	}
	// What Compose made is found again.
	if got := h.output("cat $(docker volume inspect -f '{{.Mountpoint}}' shop_data)/kept"); got != "old" {
		t.Errorf("the volume of Compose holds %q", got)
	}
	if got := h.output("docker inspect -f '{{range .Mounts}}{{.Name}}{{end}}' db-store"); got != "shop_data" {
		t.Errorf("db mounts %q, want shop_data", got)
	}

	// The networks stay while the agent and the containers restart, and go with the
	// file. The volume stays.
	id := h.output("docker network inspect -f '{{.Id}}' shop_default")
	h.run("systemctl restart dockhost 'dockhost@*'")
	h.ready("web")
	if now := h.output("docker network inspect -f '{{.Id}}' shop_default"); now != id {
		t.Errorf("network = %s, want %s", now, id)
	}
	h.run("rm /etc/dockhost/containers/blog.yaml")
	h.eventually("the network of the file is removed", func() error {
		if out := h.output("docker network ls --format '{{.Name}}' | grep _default"); out != "shop_default" {
			return fmt.Errorf("networks: %s", out)
		}
		return nil
	})
	h.run("docker volume inspect blog_data >/dev/null")
}

// TestUserDataProject starts several containers of user data at once on a network
// that none of them has before.
func TestUserDataProject(t *testing.T) {
	h := newHost(t)
	h.removesNetworks()
	section := "dockhost:\n  containers:\n"
	for i := range 5 {
		section += fmt.Sprintf("    app%d: {image: 'localhost:5000/app:1'}\n", i)
	}
	section += "    both: {image: 'localhost:5000/app:1', networks: {default: {aliases: [two]}, back: {ipv4_address: 10.98.0.7}}}\n"
	h.assign(section + "  networks: {back: {internal: true, ipam: {config: [{subnet: 10.98.0.0/24}]}}}\n" + registries)
	for i := range 5 {
		h.ready(fmt.Sprintf("app%d", i))
	}
	h.ready("both")
	h.finds("app0", "app4")
	h.finds("app0", "two")
	if got := h.output("docker network ls --format '{{.Name}}' --filter label=dockhost.made | sort | xargs"); got != "back dockhost.default" {
		t.Errorf("networks = %q, want each once", got)
	}
	if got := h.output("docker inspect -f '{{.NetworkSettings.Networks.back.IPAddress}}' both"); got != "10.98.0.7" {
		t.Errorf("address = %q", got)
	}
}

// TestMissingNetworkKeepsTheOld declares a network that must exist and does not.
func TestMissingNetworkKeepsTheOld(t *testing.T) {
	h := newHost(t)
	h.removesNetworks()
	h.assign(good())
	h.ready("app")
	pid := h.pid("app")
	h.assign(app(`ports: ["8080:8080"]`, "networks: [proxy]", "volumes: ['uploads:/data']") +
		"  networks: {proxy: {external: true}}\n  volumes: {uploads: {external: true}}\n")
	h.eventually("status says what is missing", func() error {
		c, err := h.container("app")
		if err != nil || c.Pending == nil || !strings.Contains(c.Pending.Error, "docker network create proxy") || !strings.Contains(c.Pending.Error, "docker volume create uploads") {
			return fmt.Errorf("status = %+v: %w", c, err)
		}
		return nil
	})
	h.runsStill(pid)
	h.run("docker network create proxy >/dev/null && docker volume create uploads >/dev/null")
	h.takeOver()
	h.eventually("the successor is on the network", func() error {
		if got, _ := h.try("docker inspect -f '{{.HostConfig.NetworkMode}}' app"); strings.TrimSpace(got) != "proxy" {
			return fmt.Errorf("network = %s", got)
		}
		return nil
	})
	h.ready("app")
}
