package gpu

import (
	"context"
	"errors"
	"slices"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/cdispec"
)

// ErrUnprepared means that only [Machine] can tell whether the GPUs are usable, because
// it prepares them first.
var ErrUnprepared = errors.New("the GPUs are not prepared")

// Observed is the real host, of which it changes nothing. It loads no module, makes no
// device node and generates no CDI spec, so it works in the sandbox of the agent.
type Observed struct{ Machine }

// NVIDIA implements [Host]. The error is [ErrUnprepared] where [Machine] might load the
// driver, wait for it, or generate a CDI spec.
func (o Observed) NVIDIA(context.Context, []string, func(attachment.Message)) (Pool, Description, error) {
	inventory, err := nvidia.Discover(o.Root)
	if err != nil {
		return nil, Description{}, err
	}
	if unloaded(inventory) || slices.ContainsFunc(inventory.GPUs, nvidia.GPU.Pending) {
		return nil, Description{}, ErrUnprepared
	}
	if err := unusable(inventory); err != nil {
		return nil, Description{}, err
	}
	source, _ := cdispec.Find(inventory, o.options())
	if source == nil {
		return nil, Description{}, ErrUnprepared
	}
	return usable(inventory), Description{Path: source.Path, Names: source.Devices(), Edits: source.Edits}, nil
}

// unloaded says whether the driver may be there, but is not loaded. A module that is
// missing counts, because the directory of modules is hidden from the agent.
func unloaded(inventory *nvidia.Inventory) bool {
	p := inventory.Driver.Problem
	return p != nil && (p.Kind == nvidia.NotLoaded || p.Kind == nvidia.ModuleMissing)
}
