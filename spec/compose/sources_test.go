package compose

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// parseSources parses web.yaml in a directory with other files.
func parseSources(t *testing.T, files map[string]string) (*spec.Assignment, error) {
	t.Helper()
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	node, err := document.Parse("/etc/web.yaml", []byte(files["web.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return ParseFile(document.File("/etc/web.yaml"), node, "web", Directory{Path: "/etc", Files: dir})
}

func TestSourcesErrors(t *testing.T) {
	many := strings.Repeat("x", spec.MaxFile+1)
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a variable without a value", map[string]string{"web.yaml": "services: {web: {image: '${A}'}}"}, "/etc/web.yaml:1:18 services.web.image: the file .env beside the Compose file has no value"},
		{"a wrong .env", map[string]string{".env": "a b c: hunter2canary", "web.yaml": "services: {}"}, "cannot read .env: its lines are not NAME=VALUE"},
		{"a base out of the directory", map[string]string{"web.yaml": "services: {web: {extends: {service: a, file: ../a.yaml}}}"}, "services.web.extends.file: cannot use a file outside of the directory"},
		{"no such file", map[string]string{"web.yaml": "services: {web: {extends: {service: a, file: a.yaml}}}"}, `services.web.extends.file: cannot read "a.yaml": file does not exist`},
		{"no such service", map[string]string{"web.yaml": "services: {web: {extends: a}}"}, `services.web.extends: no service "a" is declared there`},
		{"a circle of services", map[string]string{"web.yaml": "services: {web: {extends: db}, db: {extends: web}}"}, "these services extend each other in a circle"},
		{"a circle of files", map[string]string{"web.yaml": "include: [a/b.yaml]", "a/b.yaml": "include: [b.yaml]"}, "these files include each other in a circle"},
		{"a mistake in a part", map[string]string{"web.yaml": "include: [a/b.yaml]", "a/b.yaml": "services:\n  db: {image: x, port: 1}\n"}, `/etc/a/b.yaml:2:18 services.db.port: unknown key "port" (did you mean "ports"?)`},
		{"a mistake in a base", map[string]string{"web.yaml": "services: {web: {extends: {service: a, file: a.yaml}}}", "a.yaml": "services:\n  a:\n    image: X\n"}, `/etc/a.yaml:3:5 services.web.image: cannot use "X"`},
		{"declared twice", map[string]string{"web.yaml": "include: [a.yml]\nservices: {db: {image: x}}", "a.yml": "services: {db: {image: y}}"}, "include[0]: the included file declares services.db, which is declared already"},
		{"a large secret", map[string]string{"web.yaml": "secrets: {a: {file: ./large}}", "large": many}, "secrets.a.file: cannot read /etc/large: larger than 500 KiB"},
		{"no such secret", map[string]string{"web.yaml": "secrets: {token: {content: x}}\nservices: {web: {image: x, secrets: [tokn]}}"}, `services.web.secrets[0]: no secret "tokn" is declared in secrets: at the top (did you mean "token"?)`},
		{"two ways", map[string]string{"web.yaml": "secrets: {a: {content: x, file: /y}}"}, "secrets.a: write one of file:, content:, environment: and credential:"},
		{"no such variable", map[string]string{"web.yaml": "secrets: {a: {environment: X}}"}, "secrets.a.environment: the file .env beside the Compose file has no variable of this name"},
		{"a mode", map[string]string{"web.yaml": "secrets: {a: {content: x}}\nservices: {web: {image: x, secrets: [{source: a, mode: 01777}]}}"}, "secrets[0].mode: cannot use this as a mode"},
		{"scale", map[string]string{"web.yaml": "services: {web: {image: x, scale: 2}}"}, "services.web.scale: cannot use 2: each name is one container"},
		{"replicas", map[string]string{"web.yaml": "services: {web: {image: x, deploy: {replicas: 3, mode: global}}}"}, "services.web.deploy.replicas: cannot use 3"},
		{"attempts", map[string]string{"web.yaml": "services: {web: {image: x, deploy: {restart_policy: {max_attempts: 3}}}}"}, "services.web.deploy.restart_policy.max_attempts: cannot use \"max_attempts\" on a single host: set StartLimitBurst"},
		{"another container", map[string]string{"web.yaml": "services: {web: {image: x, volumes_from: ['container:db']}}"}, "services.web.volumes_from[0]: cannot use the volumes of a container that is not declared here"},
		{"a service that is not active", map[string]string{"web.yaml": "services: {web: {image: x, depends_on: [db]}, db: {image: x, profiles: [a]}}"}, `services.web.depends_on[0]: no container "db" is declared here`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSources(t, tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("ParseFile() error = %v, want %q", err, tt.want)
			}
		})
	}
}

// A secret of a file in the directory changes the container with the file. One of a
// file elsewhere is read by the supervisor.
func TestSecretFiles(t *testing.T) {
	parse := func(secret string) spec.Container {
		assignment, err := parseSources(t, map[string]string{
			"web.yaml": "secrets: {a: {file: ./a.txt}, b: {file: ../srv/b}, c: {credential: c}}\nservices: {web: {image: x, secrets: [a, b, c]}}",
			"a.txt":    secret,
		})
		if err != nil {
			t.Fatal(err)
		}
		return assignment.Containers[0]
	}
	first, second := parse("one"), parse("two")
	if first.Hash() == second.Hash() {
		t.Error("the hash is the same after a change of the secret")
	}
	if string(first.Files[0].Content) != "one" || first.Files[1].Path != "/srv/b" || first.Files[2].Credential != "c" {
		t.Errorf("files = %+v", first.Files)
	}
	if len(first.Credentials) != 1 || first.Credentials[0] != "c" {
		t.Errorf("credentials of the unit = %q, want c", first.Credentials)
	}
}

// Variables come from .env alone, and never from the environment of the process.
func TestVariables(t *testing.T) {
	t.Setenv("HOST_VARIABLE", "leaked")
	_, err := parseSources(t, map[string]string{"web.yaml": "services: {web: {image: x, hostname: '${HOST_VARIABLE}'}}"})
	if err == nil {
		t.Error("a variable of the process is filled in")
	}
	assignment, err := parseSources(t, map[string]string{
		".env":     "A=one\nEMPTY=\nB=${A}-two\n",
		"web.yaml": "services: {web: {image: x, environment: {X: '$A ${B} ${EMPTY:-d} ${EMPTY-d} ${A:+s} ${NO:+s} ${A:?m}', A: }}}",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(assignment.Containers[0].Config.Env, ";"), "A=one;X=one one-two d  s  one"; got != want {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

// In user data a file is an absolute path, and profiles stand beside containers.
func TestUserDataSecrets(t *testing.T) {
	assignment, err := parse(t, "dockhost:\n  secrets: {a: {file: /etc/a}, b: {content: x}}\n  profiles: [on]\n  containers:\n"+
		"    web: {image: x, profiles: [on], secrets: [a, b]}\n    off: {image: x, profiles: [off]}\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(assignment.Containers) != 1 || assignment.Containers[0].Files[0].Path != "/etc/a" {
		t.Errorf("containers = %+v, want web with its secret", assignment.Containers)
	}
	if want := "containers.off is left out: none of its profiles is active (off; profiles: beside containers: activates them)"; len(assignment.Warnings) != 1 || assignment.Warnings[0] != want {
		t.Errorf("warnings = %q, want %q", assignment.Warnings, want)
	}
	for text, want := range map[string]string{
		"{a: {file: ./a}}":      "write the absolute path",
		"{a: {environment: A}}": "a host has no values for variables",
		"{a: {external: true}}": "this is for Swarm",
	} {
		if _, err := parse(t, "dockhost: {secrets: "+text+"}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s) error = %v, want %q", text, err, want)
		}
	}
}

// The name of the project is a variable, wherever the name comes from. .env, which is
// for all files of the directory, does not choose it.
func TestProjectVariable(t *testing.T) {
	for text, want := range map[string]string{
		"services: {web: {image: x, hostname: '${COMPOSE_PROJECT_NAME}'}}":                  "web",
		"name: shop\nservices: {web: {image: x, hostname: '${COMPOSE_PROJECT_NAME}'}}":      "shop",
		"name: '${SHOP}-1'\nservices: {web: {image: x, hostname: $COMPOSE_PROJECT_NAME}}\n": "a-1",
	} {
		assignment, err := parseSources(t, map[string]string{"web.yaml": text, ".env": "SHOP=a\nCOMPOSE_PROJECT_NAME=other\n"})
		if err != nil {
			t.Fatal(err)
		}
		if got := assignment.Containers[0].Config.Hostname; got != want {
			t.Errorf("COMPOSE_PROJECT_NAME in %q = %q, want %q", text, got, want)
		}
	}
}
