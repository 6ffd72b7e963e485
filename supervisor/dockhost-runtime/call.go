package main

import (
	"slices"
	"strings"
)

// call is one command line of an OCI runtime, as much of it as matters here.
// The flags of runc, crun and the others differ, so there is no table of
// them: all arguments but one reach the real runtime as they came.
type call struct {
	args []string
	// command is args[at], or "" where there is none; the arguments before it
	// are the global ones.
	command string
	at      int
	// id is the container's, or "" for a call that is about none of Docker's.
	id string
	// bundle is "" for the current directory.
	bundle string
	// log is the file that Docker's shim reads errors from, or "".
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

// births tells whether the call makes the container's first process, in the
// cgroup that the bundle's configuration names.
func (c call) births() bool {
	return c.command == "create" || c.command == "restore" || c.command == "run"
}

// withoutSystemdCgroup returns the arguments without the global flag that has
// systemd make the container's cgroup.
func (c call) withoutSystemdCgroup() []string {
	global := slices.DeleteFunc(slices.Clone(c.args[:c.at]), func(arg string) bool {
		name, isFlag := strings.CutPrefix(arg, "--systemd-cgroup")
		return isFlag && (name == "" || name[0] == '=')
	})
	return append(global, c.args[c.at:]...)
}

// isCommand tells whether arg is one of the commands that Docker's shim, or
// an operator, calls a runtime with.
func isCommand(arg string) bool {
	switch arg {
	case "checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause",
		"ps", "restore", "resume", "run", "spec", "start", "state", "update":
		return true
	}
	return false
}

// isID tells whether arg has the form of a Docker container's id.
func isID(arg string) bool {
	return len(arg) == 64 && strings.Trim(arg, "0123456789abcdef") == ""
}

// flagValue returns the value of the first flag in args that has one of the
// names, written as --name VALUE or --name=VALUE, or "".
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
