package status

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
	"github.com/dockhost/dockhost/systemd"
)

// settingsProblem says why the unit of an assigned container does not have the
// settings of its declaration; "" if it has them. The agent writes the drop-in again
// when it is removed, but someone may have masked it.
func (g Gatherer) settingsProblem(c *spec.Container, unit systemd.Unit, systemdVersion int) string {
	if systemdVersion == 0 { // systemd does not answer
		return ""
	}
	path := dropin.Path(c.Name)
	want, renderErr := dropin.Render(c, systemdVersion, needs.EncryptedCredentials(g.Root, c)...)
	onDisk, err := regular.Follow(filepath.Join(g.Root, path), regular.Config)
	switch {
	case unit.LoadState == "masked":
		return fmt.Sprintf("%s is masked, and cannot start (run: systemctl unmask %s)", unit.Name, unit.Name)
	case renderErr != nil:
		return renderErr.Error()
	case err != nil:
		return fmt.Sprintf("%s lacks the settings of its declaration: %s cannot be read (run: systemctl reload dockhost)", unit.Name, path)
	case !bytes.Equal(onDisk, want):
		return fmt.Sprintf("%s lacks the settings of its declaration: someone has changed %s (run: systemctl reload dockhost)", unit.Name, path)
	case !slices.Contains(unit.DropIns, path):
		return fmt.Sprintf("%s lacks the settings of its declaration: systemd does not use %s (see: systemctl cat %s; then run: systemctl daemon-reload)", unit.Name, path, unit.Name)
	}
	return ""
}

// SettingsProblems returns the problems of containers that belong to the source.
func SettingsProblems(containers []api.Container) []string {
	var problems []string
	for i := range containers {
		if problem := containers[i].SettingsProblem; problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}
