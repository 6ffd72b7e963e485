package main

import (
	"slices"
	"strings"
	"testing"
)

const id = "4b9c8e3b0d0f4f0c9a6d6b7a4f5e2d1c0b9a8f7e6d5c4b3a291807f6e5d4c3b2"

func TestParseCall(t *testing.T) {
	const global = "--root /run/docker/runtime-dockhost/moby --log /b/log.json --log-format json "
	for name, c := range map[string]struct {
		args    string
		command string
		id      string
		bundle  string
		log     string
		format  string
		creates bool
	}{
		"create":          {args: global + "--systemd-cgroup create --bundle /b --pid-file /b/init.pid " + id, command: "create", id: id, bundle: "/b", log: "/b/log.json", format: "json", creates: true},
		"create, console": {args: global + "create --bundle /b --pid-file /p --console-socket /c/pty.sock " + id, command: "create", id: id, bundle: "/b", log: "/b/log.json", format: "json", creates: true},
		"equals signs":    {args: "--log=/x --log-format=text create --bundle=/b " + id, command: "create", id: id, bundle: "/b", log: "/x", format: "text", creates: true},
		"short flag":      {args: "run -b /b " + id, command: "run", id: id, bundle: "/b", creates: true},
		"restore":         {args: global + "restore --image-path /i --bundle /b " + id, command: "restore", id: id, bundle: "/b", log: "/b/log.json", format: "json", creates: true},
		"start":           {args: global + "start " + id, command: "start", id: id, log: "/b/log.json", format: "json"},
		"kill":            {args: global + "kill --all " + id + " 9", command: "kill", id: id, log: "/b/log.json", format: "json"},
		"exec": {
			args:    global + "exec --process /tmp/p --console-socket /c --detach --pid-file /b/e.pid " + id,
			command: "exec", id: id, log: "/b/log.json", format: "json",
		},
		"exec by hand":          {args: "exec " + id + " create --bundle /x", command: "exec", id: id, bundle: "/x"},
		"exec with another id":  {args: "exec " + id + " echo " + strings.Repeat("a", 64), command: "exec", id: id},
		"update":                {args: "update --resources - " + id, command: "update", id: id},
		"delete":                {args: "delete --force " + id, command: "delete", id: id},
		"list":                  {args: "list", command: "list"},
		"version":               {args: "--version"},
		"features":              {args: "features", command: "features"},
		"another engine's name": {args: "create --bundle /b web", command: "create", bundle: "/b", creates: true},
		"nothing":               {},
		"flag without value":    {args: "--log", log: ""},
		"upper case id":         {args: "start " + strings.ToUpper(id), command: "start"},
	} {
		t.Run(name, func(t *testing.T) {
			got := parseCall(strings.Fields(c.args))
			if got.command != c.command || got.id != c.id || got.bundle != c.bundle || got.creates() != c.creates {
				t.Errorf("parseCall(%q) = command %q, id %q, bundle %q, creates %v, want %q, %q, %q, %v",
					c.args, got.command, got.id, got.bundle, got.creates(), c.command, c.id, c.bundle, c.creates)
			}
			if got.log != c.log || got.logFormat != c.format {
				t.Errorf("parseCall(%q) = log %q as %q, want %q as %q", c.args, got.log, got.logFormat, c.log, c.format)
			}
		})
	}
}

func TestWithoutSystemdCgroup(t *testing.T) {
	for name, c := range map[string]struct{ args, want string }{
		"dropped":         {"--root /r --systemd-cgroup create --bundle /b " + id, "--root /r create --bundle /b " + id},
		"with a value":    {"--systemd-cgroup=true start " + id, "start " + id},
		"absent":          {"--root /r start " + id, "--root /r start " + id},
		"of the command":  {"exec " + id + " x --systemd-cgroup", "exec " + id + " x --systemd-cgroup"},
		"a longer flag":   {"--systemd-cgroups start " + id, "--systemd-cgroups start " + id},
		"without command": {"--systemd-cgroup --version", "--version"},
	} {
		t.Run(name, func(t *testing.T) {
			args := strings.Fields(c.args)
			got := strings.Join(parseCall(args).withoutSystemdCgroup(), " ")
			if got != c.want {
				t.Errorf("withoutSystemdCgroup(%q) = %q, want %q", c.args, got, c.want)
			}
			if !slices.Equal(args, strings.Fields(c.args)) {
				t.Errorf("withoutSystemdCgroup(%q) changed its arguments to %q", c.args, args)
			}
		})
	}
}
