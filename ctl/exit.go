package ctl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/client"
)

// The exit statuses of dockhostctl. [exitTable] says what each means.
const (
	exitWell        = 0
	exitFailed      = 1
	exitNotWell     = 3
	exitUnreachable = 4
	exitRolledBack  = 5
	exitRefused     = 6
	exitWaiting     = 7
	exitInterrupted = 130
)

// exitMeaning is what an exit status means.
type exitMeaning struct {
	status  int
	meaning string
}

// exitTable is the table of exit statuses in --help and in dockhostctl(1).
func exitTable() []exitMeaning {
	return []exitMeaning{
		{exitWell, "All is well, or the command has succeeded."},
		{exitFailed, "The command line or a file is wrong, the agent refuses the command, or it has failed."},
		{exitNotWell, "A container is not well: the command shows it, or it did not become ready."},
		{exitUnreachable, "The agent cannot be reached."},
		{exitRolledBack, "update, rollback, wait: the new container was not well; the old one runs again."},
		{exitRefused, "update, rollback, wait: the new container cannot run on this host, or is quarantined."},
		{exitWaiting, "update, rollback, wait: --timeout has ended; the agent keeps working on it."},
		// What a shell reports for SIGINT.
		{exitInterrupted, "The wait was interrupted. The agent completes what it has begun."},
	}
}

// exitOfOthers names the commands that exit as another program does.
const exitOfOthers = "exec exits with the status of its command, logs with that of journalctl.\n"

// exitHelp returns the table for --help.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("\nExit status:\n")
	for _, row := range exitTable() {
		fmt.Fprintf(&b, "  %-4d %s\n", row.status, row.meaning)
	}
	b.WriteString(exitOfOthers)
	return b.String()
}

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
	case errors.Is(err, client.ErrUnreachable):
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
