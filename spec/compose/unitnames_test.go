package compose

import (
	"slices"
	"testing"
)

// A setting that systemd ignores has no effect: the assignment says so.
func TestUnknownUnitSettingsAreWarnedOf(t *testing.T) {
	const source = `dockhost:
  containers:
    web:
      image: nginx
      x-dockhost: {unit: {Unit: {MemoryMax: 1G, After: a.service}, Service: {MemroyMax: 1G, ExecStartEvil: /bin/sh, TasksMax: 5}}}
`
	want := []string{
		"containers.web.x-dockhost.unit.Unit.MemoryMax: systemd 257 does not know this setting in [Unit], and ignores it (it belongs to [Service])",
		"containers.web.x-dockhost.unit.Service.MemroyMax: systemd 257 does not know this setting in [Service], and ignores it (did you mean MemoryMax?)",
		"containers.web.x-dockhost.unit.Service.ExecStartEvil: systemd 257 does not know this setting in [Service], and ignores it",
	}
	assignment, err := parse(t, source)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(assignment.Warnings, want) {
		t.Errorf("warnings = %q, want %q", assignment.Warnings, want)
	}
	for section, names := range settingNames() {
		if section != "Unit" && section != "Service" || len(names) < 50 || !slices.IsSorted(names) {
			t.Errorf("section %s has %d settings", section, len(names))
		}
	}
}
