package supervisor

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// A container without a runtime gets Docker's default, as docker run does.
func TestDefaultRuntime(t *testing.T) {
	const kata = "io.containerd.kata.v2"
	for name, test := range map[string]struct {
		declared      string
		daemon, args  string
		want, problem string
		// options are the arguments that Docker has registered for the runtime.
		options string
	}{
		"none":             {daemon: `{"log-driver": "local"}`},
		"runc":             {daemon: `{"default-runtime": "runc"}`},
		"runsc":            {daemon: `{"default-runtime": "runsc"}`, want: "/usr/bin/runsc", options: "--platform=kvm --debug"},
		"runsc, by a flag": {args: "dockerd --default-runtime=runsc", want: "/usr/bin/runsc"},
		"two words":        {args: "dockerd --default-runtime runsc -D", want: "/usr/bin/runsc"},
		"dockhost":         {daemon: `{"default-runtime": "dockhost"}`},
		"declared":         {declared: "crun", daemon: `{"default-runtime": "runsc"}`, want: "/usr/bin/crun", options: "--log-level=debug"},
		"declared runc":    {declared: "runc", daemon: `{"default-runtime": "runsc"}`, want: "runc"},
		"a shim":           {daemon: `{"default-runtime": "` + kata + `"}`, problem: `runtime "` + kata + `"`},
		"a declared shim":  {declared: kata, problem: "(name another: runtime: runc)"},
		"a program":        {declared: "/opt/youki", want: "/opt/youki"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for runtime, path := range map[string]string{"runsc": "/usr/bin/runsc", "crun": "/usr/bin/crun", kata: ""} {
				r.server.AddRuntime(runtime, path, strings.Fields(test.options)...)
			}
			for _, runtime := range []string{spec.RuntimeName, "runsc", kata} {
				if strings.Contains(test.daemon+test.args, runtime) {
					r.server.SetDefaultRuntime(runtime)
				}
			}
			if test.daemon != "" {
				r.write("etc/docker/daemon.json", test.daemon)
			}
			if test.args != "" {
				r.write("run/docker.pid", "77\n")
				r.write("proc/77/cmdline", strings.ReplaceAll(test.args, " ", "\x00")+"\x00")
			}
			r.spec.Runtime = test.declared
			var placed placement.Placement
			r.program(func(context.Context, *enginetest.Process) int {
				if entries, _ := os.ReadDir(r.dir.RuntimeDir()); len(entries) == 1 {
					placed, _ = placement.Read(r.dir.RuntimeDir(), strings.TrimSuffix(entries[0].Name(), ".json"))
				}
				return 0
			})
			if test.problem != "" {
				r.start().ends(ExitNotRun, test.problem)
				return
			}
			r.start().ends(0, "")
			if placed.Runtime != test.want || strings.Join(placed.RuntimeArgs, " ") != test.options || placed.Unit != unitName {
				t.Errorf("placement = %+v, want the runtime %s %s", placed, test.want, test.options)
			}
		})
	}
}
