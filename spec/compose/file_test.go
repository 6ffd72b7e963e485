package compose

import (
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

func parseFile(t *testing.T, text string) (*spec.Assignment, error) {
	t.Helper()
	node, err := document.Parse("web.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ParseFile(document.File("web.yaml"), node, "web", Directory{})
}

func TestParseFile(t *testing.T) {
	assignment, err := parseFile(t, `
name: shop
version: "3.8"
services:
  web: {image: nginx, volumes: ["data:/data"]}
  db: {image: postgres}
volumes:
  data:
x-dockhost:
  registries:
    docker.io: {username: u, password: p}
x-other: [1]
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(assignment.Containers) != 2 || assignment.Containers[1].Name != "web" || assignment.Registries["docker.io"].Username != "u" {
		t.Errorf("ParseFile() = %+v, want db, web and a login", assignment)
	}
	for _, text := range []string{"", "# nothing\n", "services:\n", "services: {}\n"} {
		if assignment, err := parseFile(t, text); err != nil || len(assignment.Containers) > 0 {
			t.Errorf("ParseFile(%q) = %+v, %v, want no containers", text, assignment, err)
		}
	}
}

func TestParseFileErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"- a", "web.yaml:1:1: not a Compose file"},
		{"containers: {}", `web.yaml:1:1 containers: unknown key "containers": in a Compose file, write services:`},
		{"service: {}", `did you mean "services"?`},
		{"networks: {a: {driver: overlay}}", `web.yaml:1:16 networks.a.driver: cannot use the driver "overlay"`},
		{"networks: {a: {external: true, name: host}}", `"host" is one of Docker's own networks: use network_mode: host`},
		{"networks: {a: {external: true, internal: true}}", "networks.a.internal: cannot be set with external"},
		{"networks: {a: {ipam: {config: [{subnet: 10.0.0.0}]}}}", "networks.a.ipam.config[0].subnet: cannot use \"10.0.0.0\" as a subnet"},
		{"networks: {a: {interna: true}}", "did you mean \"internal\"?"},
		{"volumes: {a: {driver: x}}", "web.yaml:1:15 volumes.a.driver: cannot use the driver \"x\""},
		{"volumes: [data]", "volumes: not a mapping"},
		{"volumes: {a: {name: ../x}}", "volumes.a.name: cannot use \"../x\" as the name of a volume"},
		{"name: My Shop", "web.yaml:1:1 name: cannot use \"My Shop\" as the name of a project"},
		{"services: {web: {image: nginx, volumes: [\"data:/data\"]}}", "services.web.volumes[0]: no volume \"data\" is declared"},
		{"services: {web: {image: nginx, network_mode: host, links: [db]}, db: {image: nginx}}", "services.web.links: cannot be set with network_mode"},
		{"services: {web: {image: nginx, networks: {default: {ipv4_address: x}}}}", "cannot use \"x\" as an address"},
		{"secrets: {}\nservices: {web: {image: nginx, imag: y}}", "web.yaml:2:32 services.web.imag: unknown key"},
		{"x-dockhost: {registry: {}}", `web.yaml:1:14 x-dockhost.registry: unknown key "registry"`},
	}
	for _, tt := range tests {
		if assignment, err := parseFile(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseFile(%q) = %+v, %v, want the error %q", tt.text, assignment, err, tt.want)
		}
	}
}
