package main

import (
	"slices"
	"strings"
)

// call is the part of an OCI runtime's command line that dockhost-runtime needs.
// The flags of runc, crun and the others differ, so there is no table of them:
// all arguments except --systemd-cgroup reach the real runtime unchanged.
type call struct {
	args []string
	// command is args[at], "" if the call has no command. The arguments before it
	// are the global ones.
	command string
	at      int
	// id is the id of Docker's container; "" for a call about anything other.
	id string
	// bundle is the bundle's directory; "" means the current one.
	bundle string
	// log is the file from which Docker's shim reads errors; "" for none.
	log string
	// logFormat is "json" or "text".
	logFormat string
}

func parseCall(args []string) call {
	c := call{args: args, at: slices.IndexFunc(args, isCommand)}
	if c.at < 0 {
		c.at = len(args)
	} else {
		c.command = args[c.at]
	}
	if i := slices.IndexFunc(args[c.at:], isID); i >= 0 {
		c.id = args[c.at+i]
	}
	c.log = flagValue(args[:c.at], "log")
	c.logFormat = flagValue(args[:c.at], "log-format")
	c.bundle = flagValue(args[c.at:], "bundle", "b")
	return c
}

// creates says whether the call creates the container's first process, in the
// cgroup that the bundle's configuration names.
func (c call) creates() bool {
	return c.command == "create" || c.command == "restore" || c.command == "run"
}

// withoutSystemdCgroup returns the arguments without the global flag that makes
// systemd create the container's cgroup.
func (c call) withoutSystemdCgroup() []string {
	return append(withoutSystemdCgroup(c.args[:c.at]), c.args[c.at:]...)
}

// withoutSystemdCgroup returns a copy of global flags without that one.
func withoutSystemdCgroup(flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(arg string) bool {
		name, isFlag := strings.CutPrefix(arg, "--systemd-cgroup")
		return isFlag && (name == "" || name[0] == '=')
	})
}

// isCommand says whether arg is a command with which Docker's shim, or an
// operator, calls a runtime.
func isCommand(arg string) bool {
	switch arg {
	case "checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause",
		"ps", "restore", "resume", "run", "spec", "start", "state", "update":
		return true
	}
	return false
}

// isID says whether arg has the form of a Docker container's id.
func isID(arg string) bool {
	return len(arg) == 64 && strings.Trim(arg, "0123456789abcdef") == ""
}

// flagValue returns the value of the first flag in args with one of the names,
// written as --name VALUE or --name=VALUE; "" if no flag has.
func flagValue(args []string, names ...string) string {
	for i, arg := range args {
		flag, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if arg[:min(1, len(arg))] != "-" || !slices.Contains(names, flag) {
			continue
		}
		if joined {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
