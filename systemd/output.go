package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// outputTimeout and maxOutput bound the reading of a unit's output.
	outputTimeout = 10 * time.Second
	maxOutput     = 8 << 10
)

// Output returns the last lines that the programs of a unit wrote to their standard
// output and standard error since a time, as far as the journal has them.
func Output(ctx context.Context, unit string, since time.Time, lines int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines="+strconv.Itoa(lines),
		"--since=@"+strconv.FormatInt(since.Unix(), 10), "--unit="+unit, "_TRANSPORT=stdout")
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("read the output of %s from the journal: %w", unit, err)
	}
	if len(out) > maxOutput { // the last lines say why
		_, out, _ = bytes.Cut(out[len(out)-maxOutput:], []byte("\n"))
	}
	text := strings.TrimSpace(string(out))
	if text == "" {
		return nil, nil
	}
	return strings.Split(text, "\n"), nil
}
