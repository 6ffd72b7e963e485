package nvidia

import (
	"context"
	"path/filepath"
	"slices"
	"time"
)

const (
	// defaultWait is longer than a driver needs for the eight GPUs of a big host.
	defaultWait = time.Minute
	poll        = 200 * time.Millisecond
)

// Options are the options of [Prepare].
type Options struct {
	Root    string        // "/" on a host
	Modeset bool          // load nvidia-modeset, too: for graphics
	Wait    time.Duration // the longest wait for the driver to initialize its GPUs; 0: a minute
	// Progress, unless nil, receives what Prepare waits for, as text for a status
	// line: "gpu: loading nvidia-uvm".
	Progress func(string)
}

// Prepare makes the host's GPUs usable, as nvidia-modprobe does when a program first
// uses them: it loads the modules, makes missing device nodes and their links below
// /dev/char, and waits until the driver has initialized its GPUs. It returns the
// inventory afterwards. A problem that it cannot solve is in the inventory's
// Driver.Problem and is not an error. It changes nothing on a host without a GPU,
// or if everything is in place.
func Prepare(ctx context.Context, o Options) (*Inventory, error) {
	i, err := Discover(o.Root)
	if err != nil || !i.Present() {
		return i, err
	}
	h := host{o.Root}
	failed, err := h.load(ctx, i, o)
	if err != nil {
		return i, err
	}
	if i, err = h.settle(ctx, o); err != nil {
		return i, err
	}
	if !i.Driver.Loaded {
		if failed != nil {
			i.Driver.Problem.What = failed.Error()
		}
		return i, nil
	}
	if err := h.makeNodes(i); err != nil {
		return i, err
	}
	if err := h.linkNodes(i); err != nil {
		return i, err
	}
	i.Missing = h.missing(i)
	return i, nil
}

// wantedModules returns the modules that are not loaded but can be.
func (h host) wantedModules(i *Inventory, modeset bool) []string {
	if p := i.Driver.Problem; p != nil && !i.Driver.Loaded && p.Kind != NotLoaded {
		return nil
	}
	var wanted []string
	if !i.Driver.Loaded {
		wanted = append(wanted, "nvidia")
	}
	if _, ok := i.Majors["nvidia-uvm"]; !ok {
		wanted = append(wanted, "nvidia-uvm")
	}
	if _, ok := i.Majors["nvidia-modeset"]; !ok && modeset {
		wanted = append(wanted, "nvidia-modeset")
	}
	return wanted
}

// load loads the modules. failed says why the driver itself could not be loaded.
func (h host) load(ctx context.Context, i *Inventory, o Options) (failed, err error) {
	for _, module := range h.wantedModules(i, o.Modeset) {
		o.tell("gpu: loading " + module)
		err := h.modprobe(ctx, module)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && module == "nvidia" {
			return err, nil
		}
		if err != nil {
			o.tell("gpu: " + err.Error())
		}
	}
	return nil, nil
}

// settle waits until the driver has initialized each GPU that is bound to it, or
// until the timeout. It returns the inventory of that moment.
func (h host) settle(ctx context.Context, o Options) (*Inventory, error) {
	wait := o.Wait
	if wait == 0 {
		wait = defaultWait
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		i, err := Discover(o.Root)
		if err != nil || !i.Driver.Loaded || !slices.ContainsFunc(i.GPUs, GPU.Pending) {
			return i, err
		}
		o.tell("gpu: waiting for the driver to initialize its GPUs")
		select {
		case <-ctx.Done():
			return i, ctx.Err()
		case <-end.C:
			return i, nil
		case <-time.After(poll):
		}
	}
}

func (o Options) tell(status string) {
	if o.Progress != nil {
		o.Progress(status)
	}
}

// tool finds a program in the host's usual directories.
func (h host) tool(name string) (string, bool) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path := filepath.Join(dir, name); h.exists(path) {
			return h.path(path), true
		}
	}
	return "", false
}
