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

// loadTimeout bounds the load of one module. The driver of a big host takes about
// ten seconds.
const loadTimeout = 2 * time.Minute

// modprobe loads a module with nvidia-modprobe, as the driver's libraries do. If
// nvidia-modprobe is missing or fails, it uses kmod's modprobe. Both follow the
// module's dependencies and options. Only kmod's follows an administrator's
// blacklist.
func (h host) modprobe(ctx context.Context, module string) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	flags := map[string][]string{"nvidia": nil, "nvidia-uvm": {"-u"}, "nvidia-modeset": {"-m"}}
	if program, ok := h.tool("nvidia-modprobe"); ok && runQuietly(ctx, program, flags[module]...) == nil {
		return nil
	}
	program, ok := h.tool("modprobe")
	if !ok {
		return errors.New("modprobe is missing (install kmod)")
	}
	return runQuietly(ctx, program, "--", module)
}

// runQuietly runs a program. The error has the first line of its standard error.
func runQuietly(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	what := filepath.Base(program) + " " + strings.Join(args, " ")
	first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	return fmt.Errorf("%s: %w: %s", what, err, first)
}
