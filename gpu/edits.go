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

// edits has the parts of an OCI configuration that CDI changes. It has no field
// whose zero value would be merged, as the user's id of specs.Process would.
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

// makeEdits returns what must be merged into an OCI configuration to give a
// container the devices. NVIDIA's are in the description, the others in the host's
// specs. It looks up major and minor numbers now.
func makeEdits(devices []device, description Description, others *cdi.Cache) (json.RawMessage, error) {
	config := &specs.Spec{}
	var own, foreign []string
	for _, d := range devices {
		if name, found := strings.CutPrefix(d.cdi, kind+"="); found {
			own = append(own, name)
		} else {
			foreign = append(foreign, d.cdi)
		}
	}
	if len(own) > 0 {
		if err := applyDescription(config, description, own); err != nil {
			return nil, fmt.Errorf("give GPU %s to the container, as described in %s: %w", strings.Join(own, ", "), description.Path, err)
		}
	}
	if missing, err := others.InjectDevices(config, foreign...); len(missing) > 0 {
		return nil, fmt.Errorf("no CDI spec in %s describes %s%s", strings.Join(others.GetSpecDirectories(), ", "), strings.Join(missing, ", "), broken(others))
	} else if err != nil {
		return nil, fmt.Errorf("give %s to the container: %w", strings.Join(foreign, ", "), err)
	}
	return json.Marshal(reduce(config))
}

func applyDescription(config *specs.Spec, description Description, names []string) error {
	edits, err := description.Edits(names...)
	if err != nil {
		return err
	}
	return (&cdi.ContainerEdits{ContainerEdits: edits}).Apply(config)
}

// broken lists the specs that cannot be read.
func broken(specs *cdi.Cache) string {
	problems := specs.GetErrors()
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(problems)) {
		if err := errors.Join(problems[path]...); err != nil {
			lines = append(lines, fmt.Sprintf("%s cannot be used: %v", path, err))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return " (" + strings.Join(lines, "; ") + ")"
}

// reduce returns the parts of a configuration that CDI has set.
func reduce(config *specs.Spec) edits {
	result := edits{Mounts: config.Mounts, Hooks: config.Hooks}
	if p := config.Process; p != nil {
		result.Process = &processEdits{Env: p.Env}
		if len(p.User.AdditionalGids) > 0 {
			result.Process.User = &userEdits{AdditionalGids: p.User.AdditionalGids}
		}
	}
	if l := config.Linux; l != nil {
		result.Linux = &linuxEdits{Devices: l.Devices, NetDevices: l.NetDevices, IntelRdt: l.IntelRdt}
		if l.Resources != nil {
			result.Linux.Resources = &resourceEdits{Devices: l.Resources.Devices}
		}
	}
	return result
}
