package gpu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"tags.cncf.io/container-device-interface/pkg/cdi"
	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

// fakeHost is a host with three GPUs, the last of which is split into two
// instances. Its device nodes are /dev/null and similar ones.
type fakeHost struct {
	dir  string
	spec string
	gpus Pool
	// broken is why NVIDIA's GPUs cannot be used.
	broken       error
	capabilities []string
}

const described = `
cdiVersion: "0.7.0"
kind: nvidia.com/gpu
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  deviceNodes: [{path: /dev/null}]
  additionalGids: [44]
  mounts: [{hostPath: /usr/lib/libcuda.so.1, containerPath: /usr/lib/libcuda.so.1, options: [ro, nosuid, bind]}]
  hooks: [{hookName: createContainer, path: /usr/bin/hook, args: [hook, update-ldcache]}]
devices:
- {name: "0", containerEdits: {deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/zero}]}}
- {name: GPU-1, containerEdits: {deviceNodes: [{path: /dev/nvidia1, hostPath: /dev/full}]}}
- {name: "2:0", containerEdits: {deviceNodes: [{path: /dev/nvidia2, hostPath: /dev/random}]}}
- {name: MIG-1, containerEdits: {deviceNodes: [{path: /dev/nvidia2, hostPath: /dev/random}]}}
`

const allOfThem = `- {name: all, containerEdits: {deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/zero}]}}
`

const foreign = `
cdiVersion: "0.7.0"
kind: vendor.example/net
devices:
- {name: eth, containerEdits: {deviceNodes: [{path: /dev/net0, hostPath: /dev/full, permissions: r}]}}
`

func newHost(t *testing.T, text string) *fakeHost {
	t.Helper()
	h := &fakeHost{dir: t.TempDir(), gpus: Pool{
		{Index: 0, UUID: "GPU-0"},
		{Index: 1, UUID: "GPU-1"},
		{Index: 2, UUID: "GPU-2", MIG: []Instance{{Name: "2:0"}, {Name: "2:1", UUID: "MIG-1"}}},
	}}
	h.spec = h.write(t, "nvidia.yaml", text)
	h.write(t, "foreign.yaml", foreign)
	return h
}

func (h *fakeHost) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (h *fakeHost) NVIDIA(_ context.Context, capabilities []string, _ func(attachment.Message)) (Pool, Description, error) {
	h.capabilities = capabilities
	if h.broken != nil {
		return nil, Description{}, h.broken
	}
	found, err := cdi.ReadSpec(h.spec, 0)
	if err != nil {
		return nil, Description{}, err
	}
	return h.gpus, describedBy(found), nil
}

func (h *fakeHost) Specs() (*cdi.Cache, error) {
	return cdi.NewCache(cdi.WithSpecDirs(h.dir), cdi.WithAutoRefresh(false))
}

func named(names ...string) []spec.GPURequest { return []spec.GPURequest{{Devices: names}} }

func TestAttach(t *testing.T) {
	tests := map[string]struct {
		requests []spec.GPURequest
		spec     string
		devices  []string
		gpus     []string
		problem  string
	}{
		"an index":            {named("0"), "", []string{"nvidia.com/gpu=0"}, []string{"GPU-0"}, ""},
		"an index by UUID":    {named("1"), "", []string{"nvidia.com/gpu=GPU-1"}, []string{"GPU-1"}, ""},
		"a UUID by index":     {named("GPU-0"), "", []string{"nvidia.com/gpu=0"}, []string{"GPU-0"}, ""},
		"a CDI name":          {named("nvidia.com/gpu=1"), "", []string{"nvidia.com/gpu=GPU-1"}, []string{"GPU-1"}, ""},
		"two":                 {named("1", "0"), "", []string{"nvidia.com/gpu=GPU-1", "nvidia.com/gpu=0"}, []string{"GPU-0", "GPU-1"}, ""},
		"one twice":           {append(named("0"), named("GPU-0", "nvidia.com/gpu=0")...), "", []string{"nvidia.com/gpu=0"}, []string{"GPU-0"}, ""},
		"a count":             {[]spec.GPURequest{{Count: 2}}, "", []string{"nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1"}, []string{"GPU-0", "GPU-1"}, ""},
		"a MIG instance":      {named("2:0"), "", []string{"nvidia.com/gpu=2:0"}, []string{"GPU-2/2:0"}, ""},
		"a MIG UUID":          {named("MIG-1"), "", []string{"nvidia.com/gpu=MIG-1"}, []string{"MIG-1"}, ""},
		"a MIG index by UUID": {named("2:1"), "", []string{"nvidia.com/gpu=MIG-1"}, []string{"MIG-1"}, ""},
		"all": {
			[]spec.GPURequest{{Count: spec.AllGPUs}},
			allOfThem,
			[]string{"nvidia.com/gpu=all"},
			[]string{"GPU-0", "GPU-1", "GPU-2/2:0", "MIG-1"},
			"",
		},
		"another vendor's":  {named("vendor.example/net=eth"), "", []string{"vendor.example/net=eth"}, nil, ""},
		"both":              {named("0", "vendor.example/net=eth"), "", []string{"nvidia.com/gpu=0", "vendor.example/net=eth"}, []string{"GPU-0"}, ""},
		"too many":          {[]spec.GPURequest{{Count: 4}}, "", nil, nil, "4 GPUs are requested, but this host has 3 (see: dockhostctl gpu)"},
		"an unknown index":  {named("7"), "", nil, nil, "GPU 7 is requested, but this host has GPUs 0, 1, 2:0 and 2:1 (see: dockhostctl gpu)"},
		"an unknown UUID":   {named("GPU-7"), "", nil, nil, "GPU GPU-7 is requested"},
		"a split one whole": {named("2"), "", nil, nil, "GPU 2 is split into MIG instances and cannot be used as a whole: name the instances, such as 2:0"},
		"an unknown vendor's": {
			named("vendor.example/net=none"), "", nil, nil,
			"describes vendor.example/net=none",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, described+test.spec)
			got, err := Attach(t.Context(), h, &spec.GPUNeeds{Requests: test.requests}, nil, nil)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("Attach() = %+v, %v, want %q", got, err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.devices, got.Devices); diff != "" {
				t.Errorf("devices (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.gpus, got.GPUs); diff != "" {
				t.Errorf("GPUs (-want +got):\n%s", diff)
			}
		})
	}
}

// The edits contain only what CDI sets. An empty value would be merged, too, and
// make the container's user root.
func TestEditsContainOnlyCDI(t *testing.T) {
	h := newHost(t, described)
	result, err := Attach(t.Context(), h, &spec.GPUNeeds{Requests: named("0", "vendor.example/net=eth")}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
		"process": {"env": ["NVIDIA_VISIBLE_DEVICES=void"], "user": {"additionalGids": [44]}},
		"mounts": [{"destination": "/usr/lib/libcuda.so.1", "source": "/usr/lib/libcuda.so.1", "options": ["ro", "nosuid", "bind"]}],
		"hooks": {"createContainer": [{"path": "/usr/bin/hook", "args": ["hook", "update-ldcache"]}]},
		"linux": {
			"devices": [
				{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438},
				{"path": "/dev/nvidia0", "type": "c", "major": 1, "minor": 5, "fileMode": 438},
				{"path": "/dev/net0", "type": "c", "major": 1, "minor": 7, "fileMode": 438}
			],
			"resources": {"devices": [
				{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
				{"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
				{"allow": true, "type": "c", "major": 1, "minor": 7, "access": "r"}
			]}
		}
	}`
	var got, wanted any
	if err := errors.Join(json.Unmarshal(result.Edits, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("edits (-want +got):\n%s", diff)
	}
}

// Only a request for NVIDIA's devices needs the driver.
func TestAttachAsksDriverOnlyForItsDevices(t *testing.T) {
	h := newHost(t, described)
	h.broken = errors.New("no driver")
	if _, err := Attach(t.Context(), h, &spec.GPUNeeds{Requests: named("vendor.example/net=eth")}, nil, nil); err != nil {
		t.Errorf("Attach() of another vendor's device = %v, want nil", err)
	}
	for _, requests := range [][]spec.GPURequest{named("0"), named("nvidia.com/gpu=0"), {{Count: 1}}, {{Count: spec.AllGPUs}}} {
		if _, err := Attach(t.Context(), h, &spec.GPUNeeds{Requests: requests}, nil, nil); !errors.Is(err, h.broken) {
			t.Errorf("Attach(%+v) = %v, want %v", requests, err, h.broken)
		}
	}
}

func TestExclusiveGPUIsNotShared(t *testing.T) {
	other := func(exclusive bool, requests []spec.GPURequest, gpus ...string) []Claim {
		return []Claim{{Holder: "dockhost@other.service", Exclusive: exclusive, Requests: requests, GPUs: gpus}}
	}
	one, all := []spec.GPURequest{{Count: 1}}, []spec.GPURequest{{Count: spec.AllGPUs}}
	for name, test := range map[string]struct {
		needs   spec.GPUNeeds
		others  []Claim
		problem string
	}{
		"shared":                   {spec.GPUNeeds{Requests: named("0")}, other(false, one, "GPU-0"), ""},
		"exclusive, others":        {spec.GPUNeeds{Requests: named("1"), Exclusive: true}, other(false, one, "GPU-0"), ""},
		"exclusive, assigned":      {spec.GPUNeeds{Requests: named("0"), Exclusive: true}, other(false, one), "GPU 0 is also claimed by dockhost@other.service, and this container needs it exclusively"},
		"exclusive, in use":        {spec.GPUNeeds{Requests: named("0"), Exclusive: true}, other(false, nil, "GPU-0"), "GPU 0 is also claimed by"},
		"the other is exclusive":   {spec.GPUNeeds{Requests: named("GPU-0")}, other(true, all), "and that unit needs it exclusively"},
		"a part of a split GPU":    {spec.GPUNeeds{Requests: named("2:0"), Exclusive: true}, other(false, named("2:1")), ""},
		"the same part":            {spec.GPUNeeds{Requests: named("2:1"), Exclusive: true}, other(false, named("MIG-1")), "GPU 2:1 is also claimed by"},
		"a part of all":            {spec.GPUNeeds{Requests: named("2:1"), Exclusive: true}, other(false, all), "GPU 2:1 is also claimed by"},
		"a GPU that is not there":  {spec.GPUNeeds{Requests: named("0"), Exclusive: true}, other(true, named("7")), ""},
		"a device of another kind": {spec.GPUNeeds{Requests: named("vendor.example/net=eth"), Exclusive: true}, other(true, named("vendor.example/net=eth")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Attach(t.Context(), newHost(t, described), &test.needs, test.others, nil)
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("Attach() = %v, want %q", err, test.problem)
			}
		})
	}
}

// If a device is not found, the error names the specs that cannot be read.
func TestAttachNamesBrokenSpec(t *testing.T) {
	h := newHost(t, described)
	h.write(t, "broken.yaml", "kind: [")
	_, err := Attach(t.Context(), h, &spec.GPUNeeds{Requests: named("vendor.example/gone=1")}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "broken.yaml cannot be used") {
		t.Errorf("Attach() = %v, want the broken spec named", err)
	}
}

// describedBy returns the description that a spec contains.
func describedBy(s *cdi.Spec) Description {
	d := Description{Path: s.GetPath()}
	for _, device := range s.Devices {
		d.Names = append(d.Names, device.Name)
	}
	d.Edits = func(names ...string) (*cdispecs.ContainerEdits, error) {
		edits := (&cdi.ContainerEdits{}).Append(&cdi.ContainerEdits{ContainerEdits: &s.ContainerEdits})
		for _, name := range names {
			device := s.GetDevice(name)
			if device == nil {
				return nil, fmt.Errorf("it does not describe %s", name)
			}
			edits = edits.Append(&cdi.ContainerEdits{ContainerEdits: &device.ContainerEdits})
		}
		return edits.ContainerEdits, nil
	}
	return d
}
