package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/dockerrun"
	"github.com/dockhost/dockhost/supervisor"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "run a container within the unit that this is called from",
		Long: `Runs a container in the cgroup of the unit that it is called from, and ends as
the container ends. It takes all options of docker run, and its own.`,
		// docker/cli parses the command line.
		DisableFlagParsing: true,
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		c, err := dockerrun.Parse(args, runOptions())
		if errors.Is(err, dockerrun.ErrHelp) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s", dockerrun.Help())
			return nil
		}
		return runContainer(c, err)
	}
	return cmd
}

// systemdDocker is the program systemd-docker, as its last version was called:
// its own options, the word run, and docker run's arguments.
func systemdDocker(args []string) error {
	c, err := dockerrun.SystemdDocker(args, runOptions())
	return runContainer(c, err)
}

// asSystemdDocker says whether a command line of dockhost is one of
// systemd-docker's: no command, but an option first.
func asSystemdDocker(args []string) bool {
	if len(args) == 0 || args[0] == "" || args[0][0] != '-' {
		return false
	}
	switch args[0] {
	case "-h", "--help", "-v", "--version":
		return false
	}
	return true
}

func runOptions() dockerrun.Options {
	return dockerrun.Options{
		Host:      os.Getenv("DOCKER_HOST"),
		ConfigDir: engine.ConfigDir(os.Getenv),
		Environ:   os.Environ(),
	}
}

// runContainer becomes the container's supervisor. It returns only where that
// cannot be.
func runContainer(c *spec.Container, err error) error {
	if err == nil {
		err = checkDetach(c)
	}
	if err == nil {
		err = become(c)
	}
	fmt.Fprintf(os.Stderr, "dockhost: %v\n", err)
	return exitStatus(supervisor.ExitNotRun)
}

// checkDetach refuses to leave a container to a systemd that would take the
// end of this process for its end.
func checkDetach(c *spec.Container) error {
	if c.Run.Detach && os.Getenv("INVOCATION_ID") != "" && os.Getenv("NOTIFY_SOCKET") == "" {
		return errors.New("--logs=false without --rm leaves the container to systemd, which needs the line Type=notify in the unit's [Service] section (add it, or use --rm)")
	}
	return nil
}

// become replaces this process by dockhost-supervise, which stays as small as
// if no command line had ever been parsed. The declaration, a secret, goes
// through memory that only this process and that one have open.
func become(c *spec.Container) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("hand over the container: %w", err)
	}
	fd, err := unix.MemfdCreate("dockhost-container", 0)
	if err != nil {
		return fmt.Errorf("hand over the container: %w", err)
	}
	if _, err := unix.Write(fd, raw); err != nil {
		return fmt.Errorf("hand over the container: %w", err)
	}
	supervise := libexec("dockhost-supervise")
	argv := []string{supervise, "/proc/self/fd/" + strconv.Itoa(fd)}
	if err := syscall.Exec(supervise, argv, os.Environ()); err != nil {
		return fmt.Errorf("run %s (is dockhost installed whole?): %w", supervise, err)
	}
	return nil
}
