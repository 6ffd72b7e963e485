package nvidia

import (
	"context"
	"path/filepath"
	"slices"
	"time"
)

const (
	// defaultWait is longer than a driver takes for the eight GPUs of a big host.
	defaultWait = time.Minute
	poll        = 200 * time.Millisecond
)

// Options are how Prepare goes about it.
type Options struct {
	Root    string        // "/" on a host
	Modeset bool          // nvidia-modeset is wanted, too: for graphics
	Wait    time.Duration // how long at most for the driver to take its GPUs; 0: a minute
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

// wantedModules are those that are not loaded and can be.
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

// load loads the modules. failed is why the driver itself did not load.
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

// settle waits until the driver has taken every GPU that is bound to it or to
// nobody, and returns what there is then, or when the time is up.
func (h host) settle(ctx context.Context, o Options) (*Inventory, error) {
	wait := o.Wait
	if wait == 0 {
		wait = defaultWait
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		i, err := Discover(o.Root)
		if err != nil || !i.Driver.Loaded || !slices.ContainsFunc(i.GPUs, pending) {
			return i, err
		}
		o.tell("gpu: waiting for the driver to take its GPUs")
		select {
		case <-ctx.Done():
			return i, ctx.Err()
		case <-end.C:
			return i, nil
		case <-time.After(poll):
		}
	}
}

// pending is whether the driver has the device and does not tell of it yet. A
// device that it refused is bound to nobody, and nothing to wait for.
func pending(g GPU) bool { return g.Bound == "nvidia" && g.Minor < 0 }

func (o Options) tell(what string) {
	if o.Progress != nil {
		o.Progress(what)
	}
}

// tool finds a program where hosts have it.
func (h host) tool(name string) (string, bool) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path := filepath.Join(dir, name); h.exists(path) {
			return h.path(path), true
		}
	}
	return "", false
}
