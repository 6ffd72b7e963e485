package nvidia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// loadTimeout bounds the load of one module: that of a big host's driver takes
// some ten seconds.
const loadTimeout = 2 * time.Minute

// modprobe loads a module: by nvidia-modprobe where the driver's packages have
// it, as its own libraries do, or else by kmod's program. Both know the module's
// dependencies and options, and kmod's what an administrator forbids.
func (h host) modprobe(ctx context.Context, module string) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	flags := map[string][]string{"nvidia": nil, "nvidia-uvm": {"-u"}, "nvidia-modeset": {"-m"}}
	if program, ok := h.tool("nvidia-modprobe"); ok && runQuietly(ctx, program, flags[module]...) == nil {
		return nil
	}
	program, ok := h.tool("modprobe")
	if !ok {
		return errors.New("no modprobe on this host (install kmod)")
	}
	return runQuietly(ctx, program, "--", module)
}

// runQuietly runs a program, and returns the first line that it says of what
// went wrong.
func runQuietly(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	what := filepath.Base(program) + " " + strings.Join(args, " ")
	first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
	return fmt.Errorf("%s: %w: %s", what, err, first)
}
