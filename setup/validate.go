package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// validateTimeout bounds dockerd --validate, which reads the file and exits.
const validateTimeout = 30 * time.Second

// validateWithDockerd validates a daemon.json with dockerd. It accepts any file if
// dockerd is missing or older than Docker 23, which cannot validate.
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
	// Docker 20.10 exits with 125, as for any unknown flag.
	if err == nil || bytes.Contains(out, []byte("unknown flag: --validate")) {
		return nil
	}
	if _, isExit := errors.AsType[*exec.ExitError](err); !isExit || ctx.Err() != nil {
		return fmt.Errorf("run dockerd --validate: %w", err)
	}
	// The output names the temporary file.
	out = bytes.ReplaceAll(bytes.TrimSpace(out), []byte(file), []byte("daemon.json"))
	return fmt.Errorf("dockerd does not accept it: %s", out)
}
