package supervisor

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// A supervisor removes the leftovers of killed supervisors of its unit.
func TestSweep(t *testing.T) {
	r := newRig(t)
	r.command("-exit-after", "10ms")
	r.write("proc/7/stat", procStat(7, 300))
	docker := r.engine()
	made := func(name, supervisor string) string {
		id, _, err := docker.Create(t.Context(), engine.CreateRequest{
			Name: name, Config: &container.Config{Image: "app:1", Labels: map[string]string{request.LabelUnit: unitName, request.LabelSupervisor: supervisor}},
			HostConfig: &container.HostConfig{},
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	place := func(id, unit string) string {
		if err := os.MkdirAll(r.dir.RuntimeDir(), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := placement.Write(r.dir.RuntimeDir(), id, placement.Placement{Unit: unit, CgroupPath: unitCgroup + "/container"}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	renamed := place(made("renamed", "7/200/b007"), unitName)
	place(strings.Repeat("0", 64), unitName)
	other := place(strings.Repeat("1", 64), "other.service")
	sibling := place(made("sibling", "7/300/b007"), unitName)
	r.write("run/runtime/.tmp-"+renamed, "{")
	r.start().exits(0, "")
	if _, err := docker.Inspect(t.Context(), renamed); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("Inspect() of a leftover = %v, want ErrNotFound", err)
	}
	if _, err := docker.Inspect(t.Context(), sibling); err != nil {
		t.Errorf("Inspect() of the container of another command of the unit = %v", err)
	}
	var left []string
	entries, _ := os.ReadDir(r.dir.RuntimeDir())
	for _, entry := range entries {
		left = append(left, strings.TrimSuffix(entry.Name(), ".json"))
	}
	want := []string{other, sibling}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("placements left: %v, want %v", left, want)
	}
}
