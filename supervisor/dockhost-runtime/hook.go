package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// The program is also an OCI hook on cgroup v1, whose trees the real runtime
// knows by one path alone, and does not clean up above it:
//
//	dockhost-runtime enter CGROUP CONTROLLER...   moves the container's first process, before its program starts
//	dockhost-runtime leave CGROUP                 removes the cgroups that are left when the container is gone
const (
	hookEnter = "enter"
	hookLeave = "leave"
)

// isHook tells whether a command line is a hook's. No OCI runtime has such a
// command, and a shim's begins with global flags.
func isHook(args []string) bool {
	return len(args) > 1 && (args[0] == hookEnter || args[0] == hookLeave)
}

// hook does the work of a hook and returns the exit status. The runtime puts
// stderr into its own error.
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

// enter reads the container's state, as the OCI runtime specification has it.
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

// hooks returns the edits of the OCI configuration that have the real runtime
// call this program; none on v2.
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
