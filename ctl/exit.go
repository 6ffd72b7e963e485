package ctl

import (
	"errors"
	"fmt"
	"strings"
)

// The exit statuses of dockhostctl.
const (
	exitWell = 0
	// exitFailed: the command failed, or the agent refused it.
	exitFailed = 1
	// exitMisuse: validate and render cannot use the command line or read a
	// file. Their exitFailed means wrong user data.
	exitMisuse = 2
	// exitNotWell: the command worked, and shows a problem.
	exitNotWell = 3
	// exitUnreachable: the agent did not answer.
	exitUnreachable = 4
	// exitInterrupted is what a shell reports for SIGINT.
	exitInterrupted = 130
)

// exitError ends dockhostctl with a status other than exitFailed.
type exitError struct {
	status int
	// cause is nil when the command has already printed everything.
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// exitStatus returns the exit status for the error of a command.
func exitStatus(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitWell
	case errors.As(err, &exit):
		return exit.status
	case errors.Is(err, errUnreachable):
		return exitUnreachable
	}
	return exitFailed
}

// problems returns the lines of an error, each after the program's name. It
// returns "" for an error that has nothing to add.
func problems(err error) string {
	var exit *exitError
	if err == nil || errors.As(err, &exit) && exit.cause == nil {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(&b, "dockhostctl: %s\n", line)
	}
	return b.String()
}
