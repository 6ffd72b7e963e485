package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// validateTimeout is ample: dockerd reads the file and ends.
const validateTimeout = 30 * time.Second

// validateWithDockerd has dockerd look at a daemon.json. It accepts any where
// there is no dockerd, or one before Docker 23, which cannot do so.
func validateWithDockerd(ctx context.Context, file string) error {
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, dockerd, "--validate", "--config-file", file)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	// Docker 20.10 exits with 125, as it does for any flag that it rejects.
	if err == nil || bytes.Contains(out, []byte("unknown flag: --validate")) {
		return nil
	}
	if _, isExit := errors.AsType[*exec.ExitError](err); !isExit || ctx.Err() != nil {
		return fmt.Errorf("run dockerd --validate: %w", err)
	}
	// It names the file, which is a temporary one.
	out = bytes.ReplaceAll(bytes.TrimSpace(out), []byte(file), []byte("daemon.json"))
	return fmt.Errorf("dockerd does not accept the change: %s", out)
}
