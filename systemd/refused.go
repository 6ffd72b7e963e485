package systemd

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

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
