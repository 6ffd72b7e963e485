package dockerrun

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRefuses(t *testing.T) {
	dir := t.TempDir()
	badEnv := write(t, dir, "bad.env", "A=1\nB C=s3cret-canary\n")
	noName := write(t, dir, "noname.env", "\n=s3cret-canary\n")
	badUTF8 := write(t, dir, "utf8.env", "A=\xff\n")
	tests := []struct {
		args []string
		want []string
	}{
		{nil, []string{"no image is named (see: dockhost run --help)"}},
		{[]string{"--rm"}, []string{"no image is named (see: dockhost run --help)"}},
		{[]string{"--restart", "sometimes", "nginx"}, []string{`--restart: cannot use "sometimes": use "no", always, unless-stopped, on-failure or on-failure:COUNT`}},
		{[]string{"--restart", "on-failure:x", "nginx"}, []string{`--restart: cannot use "x" as a number of restarts: write a whole number`}},
		{[]string{""}, []string{"the image is empty: a variable that names it may not be set (set the variable, or write the image reference itself)"}},
		{[]string{"${IMAGE}"}, []string{`the image is "${IMAGE}": a variable in it is not filled in (set the variable, or write the image reference itself)`}},
		{[]string{"nginx:$TAG"}, []string{`the image is "nginx:$TAG": a variable in it is not filled in (set the variable, or write the image reference itself)`}},
		{[]string{"{{ image }}"}, []string{`the image is "{{ image }}": a variable in it is not filled in (set the variable, or write the image reference itself)`}},
		{[]string{"--name", "web@1.service", "nginx"}, []string{`--name: cannot use "web@1.service" as the name of a container: ` +
			`use at least 2 letters, digits, "_", "." and "-", beginning with a letter or a digit (in a template unit write --name %p-%i instead of %n)`}},
		{[]string{"--cgroup-parent", "x.slice", "nginx"}, []string{
			"--cgroup-parent: the container is in the cgroup of its unit (leave it out, and set Slice= in the unit)",
		}},
		{[]string{"--no-such-flag", "nginx"}, []string{"unknown flag: --no-such-flag (see: dockhost run --help)"}},
		{[]string{"-Z", "nginx"}, []string{"unknown shorthand flag: 'Z' in -Z (see: dockhost run --help)"}},
		{[]string{"--pull", "sometimes", "nginx"}, []string{`invalid pull option: 'sometimes': must be one of "always", "missing" or "never"`}},
		{[]string{"NGINX"}, []string{"invalid reference format: repository name (library/NGINX) must be lowercase"}},
		{[]string{"-p", "x:y", "nginx"}, []string{"invalid containerPort: y"}},
		{[]string{"--name", "../x", "nginx"}, []string{
			`--name: cannot use "../x" as the name of a container: use at least 2 letters, digits, "_", "." and "-", beginning with a letter or a digit`,
		}},
		{[]string{"--disable-content-trust=false", "nginx"}, []string{
			"--disable-content-trust=false, or DOCKER_CONTENT_TRUST: dockhost does not check signatures (leave it out, and name the image by its digest)",
		}},
		{[]string{"--sdnotify", "healthy", "--no-healthcheck", "nginx"}, []string{
			"--sdnotify healthy: cannot wait for a health check that --no-healthcheck disables (remove one of them)",
		}},
		{[]string{"--reload-cmd", "kill -HUP 1; true", "nginx"}, []string{
			`--reload-cmd: cannot use "kill -HUP 1; true": no shell runs it (quote the shell's special characters, or use: sh -c '...')`,
		}},
		{[]string{"--reload-cmd", "echo '", "nginx"}, []string{`--reload-cmd: cannot split "echo '" into words: close its quotes and parentheses`}},
		{[]string{"--reload-cmd", " ", "nginx"}, []string{"--reload-cmd: the command is empty"}},
		// All problems at once.
		{[]string{
			"--restart=never", "--runtime", "dockhost", "--use-api-socket", "--sdnotify", "soon", "--reload-signal", "HUP", "--reload-cmd", "x",
			"--pull-stall-timeout", "0", "--cgroups=", "--mac-address", "x", "nginx",
		}, []string{
			`--sdnotify: cannot use "soon": use started, healthy, container, off, tcp:PORT, http://:PORT/PATH or https://:PORT/PATH`,
			"--reload-signal and --reload-cmd: use one of them",
			"--pull-stall-timeout: cannot use 0s: use a time above 0, such as 60s",
			"--cgroups: the name is empty: use all, name=systemd or a controller such as memory",
			`--restart: cannot use "never": use "no", always, unless-stopped, on-failure or on-failure:COUNT`,
			"--runtime dockhost: dockhost already runs every container (leave it out, or name the runtime that dockhost calls)",
			"--use-api-socket: it copies registry logins into the container (leave it out, and use: -v /var/run/docker.sock:/var/run/docker.sock)",
			"x is not a valid mac address",
		}},

		// No message contains a possible secret.
		{[]string{"-e", "=s3cret-canary", "nginx"}, []string{
			`invalid argument "=..." for "-e, --env" flag: invalid environment variable: =... (see: dockhost run --help)`,
		}},
		{[]string{"-Epassword=s3cret-canary", "nginx"}, []string{"unknown shorthand flag: 'E' in -Epassword=... (see: dockhost run --help)"}},
		{[]string{"--=s3cret-canary", "nginx"}, []string{"bad flag syntax: --=... (see: dockhost run --help)"}},
		{[]string{"--enw=A=s3cret-canary", "nginx"}, []string{"unknown flag: --enw (see: dockhost run --help)"}},
		{[]string{"--mount", `type=volume,volume-opt=o="s3cret-canary",scr=x`, "nginx"}, []string{
			`invalid argument "type=...,volume-opt=...,scr=..." for "--mount" flag: parse error on line 1, column 26: bare " in non-quoted-field (see: dockhost run --help)`,
		}},
		{[]string{"--env-file", badEnv, "--env-file", noName, "nginx"}, []string{
			"--env-file: " + badEnv + ":2: want lines of NAME=VALUE in UTF-8, without white space in the name",
			"--env-file: " + noName + ":2: want lines of NAME=VALUE in UTF-8, without white space in the name",
		}},
		{[]string{"--label-file", badUTF8, "nginx"}, []string{
			"--label-file: " + badUTF8 + ":1: want lines of NAME=VALUE in UTF-8, without white space in the name",
		}},
		{[]string{"--env-file", dir + "/none", "nginx"}, []string{"open " + dir + "/none: no such file or directory"}},
	}
	for _, test := range tests {
		got, err := Parse(test.args, Options{})
		if got != nil || err == nil {
			t.Errorf("Parse(%q) = %v, %v, want an error", test.args, got, err)
			continue
		}
		if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestContentTrustNeedsADigest(t *testing.T) {
	t.Setenv("DOCKER_CONTENT_TRUST", "1")
	if _, err := Parse([]string{"nginx"}, Options{}); err == nil {
		t.Error("Parse() accepts a tag, but DOCKER_CONTENT_TRUST asks for a signature")
	}
	pinned := "nginx@sha256:" + strings.Repeat("0a", 32)
	if _, err := Parse([]string{pinned}, Options{}); err != nil {
		t.Errorf("Parse(%q) = %v", pinned, err)
	}
}
