package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/nvidia-container-toolkit/pkg/nvcdi"
	"github.com/NVIDIA/nvidia-container-toolkit/pkg/nvcdi/transform"
	"github.com/sirupsen/logrus"
	specs "tags.cncf.io/container-device-interface/specs-go"
)

// host is the host to describe.
type host struct {
	root string         // "/" on a host
	hook string         // path of this program, which runs the hooks
	nvml nvml.Interface // nil for the driver's library
}

// description is a CDI spec.
type description struct{ spec *specs.Spec }

// generate queries NVML. It names devices by index and by UUID, like nvidia-ctk.
func generate(h host) (*description, error) {
	logger := logrus.New()
	logger.SetLevel(logrus.ErrorLevel)
	merged := []transform.MergedDeviceOption{transform.WithName("all")}
	index, err := nvcdi.NewDeviceNamer(nvcdi.DeviceNameStrategyIndex)
	if err != nil {
		return nil, err
	}
	uuid, err := nvcdi.NewDeviceNamer(nvcdi.DeviceNameStrategyUUID)
	if err != nil {
		return nil, err
	}
	options := []nvcdi.Option{
		nvcdi.WithLogger(logger), nvcdi.WithMode(nvcdi.ModeNvml), nvcdi.WithDriverRoot(h.root),
		nvcdi.WithDeviceNamers(index, uuid), nvcdi.WithMergedDeviceOptions(merged...),
		nvcdi.WithNVIDIACDIHookPath(h.hook),
		// This feature would dlopen another library of the driver and is not needed.
		nvcdi.WithFeatureFlags(nvcdi.FeatureDisableNvsandboxUtils),
	}
	if h.nvml != nil {
		options = append(options, nvcdi.WithNvmlLib(h.nvml))
	}
	library, err := nvcdi.New(options...)
	if err != nil {
		return nil, fmt.Errorf("query NVML: %w", err)
	}
	generated, err := library.GetSpec("all")
	if err != nil {
		return nil, fmt.Errorf("query NVML: %w", err)
	}
	spec := generated.Raw()
	if len(spec.Devices) == 0 {
		return nil, errors.New("query NVML: it reports no GPU")
	}
	h.callHooks(spec)
	return &description{spec}, nil
}

// callHooks inserts the word "hook" into the hooks' command lines. The library writes
// them for NVIDIA's program, where each hook is a command.
func (h host) callHooks(spec *specs.Spec) {
	edits := []*specs.ContainerEdits{&spec.ContainerEdits}
	for n := range spec.Devices {
		edits = append(edits, &spec.Devices[n].ContainerEdits)
	}
	done := map[*specs.Hook]bool{} // devices may share a hook
	for _, e := range edits {
		for _, hook := range e.Hooks {
			if hook.Path == h.hook && len(hook.Args) > 0 && !done[hook] {
				done[hook] = true
				hook.Args = slices.Insert(slices.Clone(hook.Args), 1, "hook")
			}
		}
	}
}

func (d *description) print(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d.spec)
}

// save replaces a file atomically.
func (d *description) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".dockhost-nvidia-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	err = errors.Join(d.print(file), file.Chmod(0o644), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
