package gpu

import (
	"context"
	"errors"
	"strconv"

	"tags.cncf.io/container-device-interface/pkg/cdi"

	"github.com/dockhost/dockhost/gpu/attachment"
)

// Files is the host as it is.
type Files struct{}

// NVIDIA implements [Host].
func (f Files) NVIDIA(context.Context, []string, func(attachment.Message)) (Inventory, *cdi.Spec, error) {
	specs, err := f.Specs()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range specs.GetVendorSpecs("nvidia.com") {
		if s.GetClass() != "gpu" {
			continue
		}
		var gpus Inventory
		for i := 0; s.GetDevice(strconv.Itoa(i)) != nil; i++ {
			gpus = append(gpus, GPU{Index: i, UUID: strconv.Itoa(i)})
		}
		return gpus, s, nil
	}
	return nil, nil, errors.New("no NVIDIA driver is loaded")
}

// Specs implements [Host].
func (Files) Specs() (*cdi.Cache, error) { return cdi.NewCache(cdi.WithAutoRefresh(false)) }
