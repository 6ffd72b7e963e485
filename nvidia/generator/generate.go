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

// host is what is described, and whose program the hooks are.
type host struct {
	root string         // "/" on a host
	hook string         // path of this program
	nvml nvml.Interface // nil for the driver's own library
}

// description is one for CDI.
type description struct{ spec *specs.Spec }

// generate asks NVML. Devices are called by index and by UUID, as by nvidia-ctk.
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
		// It would dlopen one more library of the driver's, for nothing that is needed here.
		nvcdi.WithFeatureFlags(nvcdi.FeatureDisableNvsandboxUtils),
	}
	if h.nvml != nil {
		options = append(options, nvcdi.WithNvmlLib(h.nvml))
	}
	library, err := nvcdi.New(options...)
	if err != nil {
		return nil, fmt.Errorf("ask NVML: %w", err)
	}
	made, err := library.GetSpec("all")
	if err != nil {
		return nil, fmt.Errorf("ask NVML: %w", err)
	}
	spec := made.Raw()
	if len(spec.Devices) == 0 {
		return nil, errors.New("ask NVML: it knows no GPU")
	}
	h.callHooks(spec)
	return &description{spec}, nil
}

// callHooks puts the word "hook" into the calls of this program: the library
// takes it to be NVIDIA's, whose hooks are its commands.
func (h host) callHooks(spec *specs.Spec) {
	edits := []*specs.ContainerEdits{&spec.ContainerEdits}
	for n := range spec.Devices {
		edits = append(edits, &spec.Devices[n].ContainerEdits)
	}
	done := map[*specs.Hook]bool{} // devices may share one
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

// save puts the finished file in place of another.
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
