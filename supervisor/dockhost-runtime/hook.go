package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// The program is also an OCI hook on cgroup v1. There the real runtime uses one
// path for all hierarchies, and removes nothing above it:
//
//	dockhost-runtime enter CGROUP CONTROLLER...   moves the container's first process before its program starts
//	dockhost-runtime leave CGROUP                 removes the empty cgroups after the container's end
const (
	hookEnter = "enter"
	hookLeave = "leave"
)

// isHook says whether a command line is that of a hook. No OCI runtime has such
// commands, and a shim's command line begins with global flags.
func isHook(args []string) bool {
	return len(args) > 1 && (args[0] == hookEnter || args[0] == hookLeave)
}

// hook runs a hook and returns the exit status. The runtime includes stderr in its
// own error.
func (p program) hook(args []string, state io.Reader, stderr io.Writer) int {
	if args[0] == hookLeave {
		p.cgroups.prune(args[1])
		return 0
	}
	if err := p.enter(args[1], args[2:], state); err != nil {
		_, _ = fmt.Fprintf(stderr, "move container into %s: %v\n", args[1], err)
		return 1
	}
	return 0
}

// enter moves the container's first process. state is the container's state, in
// the form of the OCI runtime specification.
func (p program) enter(cgroup string, controllers []string, state io.Reader) error {
	var container struct {
		Pid int `json:"pid"`
	}
	if err := json.NewDecoder(state).Decode(&container); err != nil {
		return fmt.Errorf("read the container's state: %w", err)
	}
	if container.Pid <= 0 {
		return errors.New("the container's state has no pid")
	}
	return p.cgroups.enter(cgroup, container.Pid, controllers)
}

// hooks returns the edits of the OCI configuration that make the real runtime call
// this program; nil on v2, which needs no hooks.
func (p program) hooks(place placement.Placement) (json.RawMessage, error) {
	if p.cgroups.unified() {
		return nil, nil
	}
	self, err := os.Readlink(p.self)
	if err != nil {
		return nil, err
	}
	type hook struct {
		Path string   `json:"path"`
		Args []string `json:"args"`
	}
	hooks := map[string][]hook{
		"poststop": {{Path: self, Args: []string{self, hookLeave, place.CgroupPath}}},
	}
	if len(place.Controllers) > 0 {
		args := append([]string{self, hookEnter, place.CgroupPath}, place.Controllers...)
		hooks["createRuntime"] = []hook{{Path: self, Args: args}}
	}
	return encode(map[string]any{"hooks": hooks})
}
