package compose

import (
	"path"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// hooks converts the commands of post_start or pre_stop.
func (d *declaration) hooks(key string, declared []types.ServiceHook) []spec.Hook {
	var hooks []spec.Hook
	for i, hook := range declared {
		at := d.entry(key, i, len(declared))
		if len(hook.Command) == 0 || hook.Command[0] == "" {
			d.Errorf(at, "no command: write command: with a string or a list of strings")
		}
		if hook.WorkingDir != "" && !path.IsAbs(hook.WorkingDir) {
			d.Errorf(at.Field("working_dir"), "cannot use %q: write an absolute path", document.Shorten(hook.WorkingDir))
		}
		var env []string
		for name, value := range hook.Environment {
			if value == nil {
				d.Errorf(at.Field("environment"), "a variable has no value: write NAME: VALUE")
				continue
			}
			d.checkVariable(at.Field("environment"), name)
			env = append(env, name+"="+*value)
		}
		slices.Sort(env)
		hooks = append(hooks, spec.Hook{
			Command: hook.Command, User: hook.User, WorkingDir: hook.WorkingDir, Env: env, Privileged: hook.Privileged,
		})
	}
	return hooks
}
