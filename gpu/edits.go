package gpu

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

// edits are the parts of an OCI configuration that CDI changes, and nothing
// that would be merged where it is empty: specs.Process has the user's id.
type edits struct {
	Process *processEdits `json:"process,omitempty"`
	Mounts  []specs.Mount `json:"mounts,omitempty"`
	Hooks   *specs.Hooks  `json:"hooks,omitempty"`
	Linux   *linuxEdits   `json:"linux,omitempty"`
}

type processEdits struct {
	Env  []string   `json:"env,omitempty"`
	User *userEdits `json:"user,omitempty"`
}

type userEdits struct {
	AdditionalGids []uint32 `json:"additionalGids,omitempty"`
}

type linuxEdits struct {
	Devices    []specs.LinuxDevice             `json:"devices,omitempty"`
	Resources  *resourceEdits                  `json:"resources,omitempty"`
	NetDevices map[string]specs.LinuxNetDevice `json:"netDevices,omitempty"`
	IntelRdt   *specs.LinuxIntelRdt            `json:"intelRdt,omitempty"`
}

type resourceEdits struct {
	Devices []specs.LinuxDeviceCgroup `json:"devices,omitempty"`
}

// makeEdits returns what has to be merged into an OCI configuration to give a
// container the devices: those that described has by it, the others by the
// host's specs. Major and minor numbers are looked up now.
func makeEdits(devices []device, described Described, others *cdi.Cache) (json.RawMessage, error) {
	config := &specs.Spec{}
	var ours, foreign []string
	for _, d := range devices {
		if name, found := strings.CutPrefix(d.cdi, kind+"="); found {
			ours = append(ours, name)
		} else {
			foreign = append(foreign, d.cdi)
		}
	}
	if len(ours) > 0 {
		if err := applyOwn(config, described, ours); err != nil {
			return nil, fmt.Errorf("give GPU %s to the container by %s: %w", strings.Join(ours, ", "), described.Path, err)
		}
	}
	if missing, err := others.InjectDevices(config, foreign...); len(missing) > 0 {
		return nil, fmt.Errorf("no CDI spec in %s describes %s%s", strings.Join(others.GetSpecDirectories(), ", "), strings.Join(missing, ", "), broken(others))
	} else if err != nil {
		return nil, fmt.Errorf("give %s to the container: %w", strings.Join(foreign, ", "), err)
	}
	return json.Marshal(reduce(config))
}

func applyOwn(config *specs.Spec, described Described, names []string) error {
	edits, err := described.Edits(names...)
	if err != nil {
		return err
	}
	return (&cdi.ContainerEdits{ContainerEdits: edits}).Apply(config)
}

// broken says which specs could not be read.
func broken(specs *cdi.Cache) string {
	found := specs.GetErrors()
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if err := errors.Join(found[path]...); err != nil {
			lines = append(lines, fmt.Sprintf("%s cannot be used: %v", path, err))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return " (" + strings.Join(lines, "; ") + ")"
}

// reduce takes out of a configuration what was put there.
func reduce(config *specs.Spec) edits {
	made := edits{Mounts: config.Mounts, Hooks: config.Hooks}
	if p := config.Process; p != nil {
		made.Process = &processEdits{Env: p.Env}
		if len(p.User.AdditionalGids) > 0 {
			made.Process.User = &userEdits{AdditionalGids: p.User.AdditionalGids}
		}
	}
	if l := config.Linux; l != nil {
		made.Linux = &linuxEdits{Devices: l.Devices, NetDevices: l.NetDevices, IntelRdt: l.IntelRdt}
		if l.Resources != nil {
			made.Linux.Resources = &resourceEdits{Devices: l.Resources.Devices}
		}
	}
	return made
}
