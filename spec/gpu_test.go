package spec

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

func TestTakeGPURequest(t *testing.T) {
	gpu := [][]string{{"gpu"}}
	for name, test := range map[string]struct {
		from    container.DeviceRequest
		want    GPURequest
		ours    bool
		problem string
	}{
		"all":              {container.DeviceRequest{Count: -1, Capabilities: gpu}, GPURequest{Count: AllGPUs}, true, ""},
		"neither":          {container.DeviceRequest{Driver: "nvidia"}, GPURequest{Count: AllGPUs}, true, ""},
		"a count":          {container.DeviceRequest{Count: 2, Capabilities: gpu}, GPURequest{Count: 2}, true, ""},
		"devices":          {container.DeviceRequest{DeviceIDs: []string{"0", "GPU-0a"}, Capabilities: gpu}, GPURequest{Devices: []string{"0", "GPU-0a"}}, true, ""},
		"all devices":      {container.DeviceRequest{DeviceIDs: []string{"0", "all"}, Capabilities: gpu}, GPURequest{Count: AllGPUs}, true, ""},
		"capabilities":     {container.DeviceRequest{Count: 1, Capabilities: [][]string{{"gpu", "utility"}, {"nvidia", "utility", "video"}}}, GPURequest{Count: 1, Capabilities: []string{"utility", "video"}}, true, ""},
		"CDI":              {container.DeviceRequest{Driver: "cdi", DeviceIDs: []string{"a.b/c=d"}}, GPURequest{Devices: []string{"a.b/c=d"}}, true, ""},
		"another driver's": {container.DeviceRequest{Driver: "amd", Capabilities: gpu}, GPURequest{}, false, ""},
		"another thing":    {container.DeviceRequest{Capabilities: [][]string{{"tpu"}}}, GPURequest{}, false, ""},
		"no CDI name":      {container.DeviceRequest{Driver: "cdi", DeviceIDs: []string{"0"}}, GPURequest{}, true, "VENDOR/CLASS=NAME"},
		"no GPU":           {container.DeviceRequest{DeviceIDs: []string{"../0"}, Capabilities: gpu}, GPURequest{}, true, `cannot use "../0" as a GPU`},
		"options":          {container.DeviceRequest{Capabilities: gpu, Options: map[string]string{"a": "b"}}, GPURequest{}, true, "options"},
		"a misspelt word":  {container.DeviceRequest{Capabilities: [][]string{{"gpu", "compte"}}}, GPURequest{}, true, `unknown capability "compte"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, ours, err := TakeGPURequest(test.from)
			if ours != test.ours || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Fatalf("TakeGPURequest() = %v, %v, want %v, %q", ours, err, test.ours, test.problem)
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Errorf("TakeGPURequest() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGPURequestOf(t *testing.T) {
	for name, test := range map[string]struct {
		env   []string
		want  GPURequest
		asked bool
		bad   bool
	}{
		"nothing":         {nil, GPURequest{}, false, false},
		"another":         {[]string{"NVIDIA_VISIBLE_DEVICES_2=all"}, GPURequest{}, false, false},
		"void":            {[]string{"NVIDIA_VISIBLE_DEVICES=void"}, GPURequest{}, false, false},
		"empty":           {[]string{"NVIDIA_VISIBLE_DEVICES="}, GPURequest{}, false, false},
		"all":             {[]string{"NVIDIA_VISIBLE_DEVICES=all"}, GPURequest{Count: AllGPUs}, true, false},
		"some":            {[]string{"NVIDIA_VISIBLE_DEVICES=0,MIG-1"}, GPURequest{Devices: []string{"0", "MIG-1"}}, true, false},
		"the last counts": {[]string{"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=none"}, GPURequest{}, false, false},
		"no GPU":          {[]string{"NVIDIA_VISIBLE_DEVICES=hunter2"}, GPURequest{}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, asked, err := GPURequestOf(test.env)
			if asked != test.asked || (err != nil) != test.bad {
				t.Fatalf("GPURequestOf(%q) = %v, %v, want %v, bad %v", test.env, asked, err, test.asked, test.bad)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the value of a variable: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("GPURequestOf() (-want +got):\n%s", diff)
			}
		})
	}
}

// What a request was made of is in the hash: a container with other GPUs is
// another one.
func TestGPUIsHashed(t *testing.T) {
	c := Container{Name: "a", GPU: &GPUNeeds{Requests: []GPURequest{{Count: 1}}}}
	other := c
	other.GPU = &GPUNeeds{Requests: []GPURequest{{Count: 2}}}
	if c.Hash() == other.Hash() {
		t.Error("two containers that ask for different GPUs have the same hash")
	}
}

func FuzzGPURequestOf(f *testing.F) {
	for _, value := range []string{"all", "0,1", "0:1", "GPU-0a,MIG-1", ",", "none"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		request, asked, err := GPURequestOf([]string{"NVIDIA_VISIBLE_DEVICES=" + value})
		if err == nil && asked && request.Count == 0 && len(request.Devices) == 0 {
			t.Errorf("GPURequestOf(%q) asks for nothing", value)
		}
	})
}
