package main

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// replaceProcess replaces this process by another program. It returns only if that fails.
func replaceProcess(command ...string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	return fmt.Errorf("run %s: %w", command[0], unix.Exec(path, command, os.Environ()))
}

// becomeProgram replaces this process by a program of dockhost. It returns only if that
// fails.
func becomeProgram(name string, args ...string) error {
	path := libexec(name)
	err := unix.Exec(path, append([]string{path}, args...), os.Environ())
	return fmt.Errorf("run %s (is dockhost installed completely?): %w", path, err)
}
