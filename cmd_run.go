package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

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
		Short: "run a container in the unit that calls this command",
		Long: `Runs a container in the cgroup of the unit that calls this command, and exits
with the container's exit status. It takes the options of docker run, and some of
its own.`,
		// docker/cli parses the command line.
		DisableFlagParsing: true,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := dockerrun.Parse(args, runOptions())
		if errors.Is(err, dockerrun.ErrHelp) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s", dockerrun.Help())
			return nil
		}
		return runContainer(cmd.Context().Done(), c, err)
	}
	return cmd
}

// systemdDocker is the program systemd-docker. It takes the command line of
// systemd-docker's last version: its own options, the word run, and the
// arguments of docker run.
func systemdDocker(stop <-chan struct{}, args []string) error {
	c, err := dockerrun.SystemdDocker(args, runOptions())
	if errors.Is(err, dockerrun.ErrHelp) {
		fmt.Print(dockerrun.SystemdDockerHelp())
		return nil
	}
	return runContainer(stop, c, err)
}

// asSystemdDocker reports whether a command line is one of systemd-docker: it
// starts with an option instead of a command.
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
		Account:   account("/etc/passwd", os.Getuid()),
		Hint:      func(text string) { fmt.Fprintf(os.Stderr, "dockhost: %s\n", text) },
	}
}

// account returns the user of this process, as a file like /etc/passwd names it.
// systemd gives the unit's processes its name and its shell.
func account(passwd string, uid int) dockerrun.Account {
	text, err := os.ReadFile(passwd)
	if err != nil {
		return dockerrun.Account{}
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) == 7 && fields[2] == strconv.Itoa(uid) {
			return dockerrun.Account{Name: fields[0], Shell: fields[6]}
		}
	}
	return dockerrun.Account{}
}

// runContainer turns this process into the container's supervisor. It returns
// only on failure, or if stop is closed: the supervisor would not know of a stop that
// was requested before.
func runContainer(stop <-chan struct{}, c *spec.Container, err error) error {
	if err == nil {
		err = checkDetach(c)
	}
	if name := engine.CurrentContext(os.Getenv); err == nil && name != "" && os.Getenv("DOCKER_HOST") == "" && os.Getenv("DOCKER_CONTEXT") == "" {
		fmt.Fprintf(os.Stderr, "dockhost: docker context use has chosen the context %q, which dockhost does not follow (set DOCKER_CONTEXT=%s for it)\n", name, name)
	}
	if err == nil {
		select {
		case <-stop:
			return nil
		default:
			err = become(c)
		}
	}
	fmt.Fprintf(os.Stderr, "dockhost: %v\n", err)
	return exitStatus(supervisor.ExitNotRun)
}

// checkDetach refuses to leave a container to systemd in a unit without
// Type=notify: there systemd would take the exit of this process for the
// container's.
func checkDetach(c *spec.Container) error {
	if c.Run.Detach && os.Getenv("INVOCATION_ID") != "" && os.Getenv("NOTIFY_SOCKET") == "" {
		return errors.New("--logs=false without --rm leaves the container to systemd, which needs the line Type=notify in the unit's [Service] section (add it, or use --rm)")
	}
	return nil
}

// become replaces this process by dockhost-supervise, which is small because it
// parses no command line. The container may contain secrets, so it is handed over
// in memory (a memfd) instead of a file.
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
	return becomeProgram("dockhost-supervise", "/proc/self/fd/"+strconv.Itoa(fd))
}
