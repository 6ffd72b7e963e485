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
// output and standard error since a time, as far as the journal has them. A unit of a
// user's manager has a uid, one of the system has "".
func Output(ctx context.Context, unit, uid string, since time.Time, lines int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	matches := []string{"--unit=" + unit}
	if uid != "" {
		matches = []string{"_SYSTEMD_USER_UNIT=" + unit, "_UID=" + uid}
	}
	command := exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines="+strconv.Itoa(lines),
		"--since=@"+strconv.FormatInt(since.Unix(), 10), "_TRANSPORT=stdout")
	command.Args = append(command.Args, matches...)
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

// Refused reports whether the last job of a unit was a start that systemd refused, because
// an assertion of the unit (AssertPathExists=) did not hold. systemd itself forgets that
// with the unit, which nothing keeps loaded, so the journal is asked.
func (m *Manager) Refused(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	_ = exec.CommandContext(ctx, "journalctl", "--sync").Run() // what journald has not written yet is newer
	args := []string{"--quiet", "--no-pager", "--boot", "--output=cat", "--output-fields=JOB_RESULT", "--lines=1"}
	for _, result := range []string{"done", "assert", "failed", "canceled", "timeout", "dependency"} {
		args = append(args, "_PID=1", "UNIT="+name, "JOB_RESULT="+result, "+")
	}
	out, err := exec.CommandContext(ctx, "journalctl", args[:len(args)-1]...).Output()
	if err != nil {
		return false, fmt.Errorf("read the last job of %s from the journal: %w", name, err)
	}
	return strings.TrimSpace(string(out)) == "assert", nil
}
