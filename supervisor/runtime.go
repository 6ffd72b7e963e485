package supervisor

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/spec"
)

// runc is the runtime that Docker uses unless it is configured otherwise.
const runc = "runc"

// runtimeProgram returns the OCI runtime that dockhost-runtime executes: the program that
// Docker has registered under the declared name, with its arguments, or that name, which is
// then searched in PATH. Without a declared name it is Docker's default runtime. "" means
// runc.
func (m *maker) runtimeProgram(ctx context.Context) (program string, args []string, err error) {
	name := m.container.Runtime
	if name == "" && isRunc(readDaemon(m.unit.cgroups.Root).runtime) {
		return "", nil, nil
	}
	info, err := m.engine.Info(ctx)
	if err != nil {
		return "", nil, err
	}
	if name == "" {
		if name = info.DefaultRuntime; isRunc(name) {
			return "", nil, nil
		}
	}
	path, registered := info.Runtimes[name]
	switch {
	case path != "":
		return path, info.RuntimeArgs[name], nil
	case registered || m.container.Runtime == "":
		return "", nil, fmt.Errorf("runtime %q, which Docker has, is not a program but a shim of containerd, and cannot run in a unit (name another: runtime: runc)", name)
	}
	return name, nil, nil
}

// isRunc says whether Docker's default runtime leads to runc: it is runc, or dockhost,
// which then executes runc.
func isRunc(name string) bool { return name == "" || name == runc || name == spec.RuntimeName }
