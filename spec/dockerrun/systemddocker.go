package dockerrun

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// SystemdDocker returns the container that the arguments of systemd-docker
// describe: its options, "run", and the arguments of docker run. The errors are
// those of [Parse]. For [ErrHelp], print [SystemdDockerHelp].
func SystemdDocker(args []string, o Options) (*spec.Container, error) {
	old := newOldOptions()
	if err := old.flags.Parse(longNames(old.flags, args, old.names()...)); err != nil {
		return nil, fmt.Errorf("%s (see: systemd-docker --help)", describe(err))
	}
	words := old.flags.Args()
	switch {
	case old.help:
		return nil, ErrHelp
	case len(words) == 0:
		return nil, errors.New(`"run" is missing after the options (see: systemd-docker --help)`)
	case words[0] != "run":
		return nil, fmt.Errorf("unknown command %q: systemd-docker has only run (see: systemd-docker --help)", words[0])
	}
	c, err := Parse(append(old.options(o.Environ), oldRunArgs(words[1:])...), o)
	if err != nil {
		return nil, err
	}
	// When there was no output to relay and no container to remove, systemd-docker
	// left the container to systemd and exited.
	c.Run.Detach = c.Run.Quiet && c.Run.Keep
	return c, nil
}

// SystemdDockerHelp returns the output of `systemd-docker --help`.
func SystemdDockerHelp() string {
	return `Run a container in the systemd unit that calls this command, as systemd-docker did.

Usage: systemd-docker [OPTIONS] run [OPTIONS OF DOCKER RUN] IMAGE [COMMAND] [ARG...]

Options:
` + newOldOptions().flags.FlagUsages() + `
See also: dockhost run --help
`
}

// oldOptions are the options of systemd-docker.
type oldOptions struct {
	flags   *pflag.FlagSet
	cgroups []string
	env     bool
	logs    bool
	notify  bool
	pidFile string
	help    bool
}

func newOldOptions() *oldOptions {
	o := &oldOptions{flags: pflag.NewFlagSet("systemd-docker", pflag.ContinueOnError)}
	o.flags.SetOutput(io.Discard)
	o.flags.SetInterspersed(false)
	o.flags.StringArrayVarP(&o.cgroups, "cgroups", "c", nil, cgroupsUsage)
	o.flags.BoolVarP(&o.env, "env", "e", false, "Pass the unit's environment to the container")
	o.flags.BoolVarP(&o.logs, "logs", "l", true, "Relay the container's output")
	o.flags.BoolVarP(&o.notify, "notify", "n", false, "Wait until the container itself reports that it is ready")
	o.flags.StringVarP(&o.pidFile, "pid-file", "p", "", "Write the PID of the container's first process to `FILE`")
	o.flags.BoolVar(&o.help, "help", false, "Print usage")
	return o
}

func (o *oldOptions) names() []string {
	var names []string
	o.flags.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}

// options returns the equivalent options of dockhost run. They come first, so that
// options after run override them.
func (o *oldOptions) options(environ []string) []string {
	var args []string
	for _, name := range o.cgroups {
		args = append(args, "--cgroups="+name)
	}
	if !o.logs {
		args = append(args, "--logs=false")
	}
	if o.notify {
		args = append(args, "--sdnotify="+string(spec.NotifyContainer))
	}
	if o.pidFile != "" {
		args = append(args, "--pid-file="+o.pidFile)
	}
	if o.env {
		for _, variable := range passedOn(environ) {
			args = append(args, "--env="+variable)
		}
	}
	return args
}

// oldRunArgs accepts -rm, -name and -detach for --rm, --name and --detach, as
// systemd-docker and Docker before 1.10 did.
func oldRunArgs(args []string) []string {
	flags := newCommand(nil).Flags()
	addOwn(flags)
	return longNames(flags, args, "rm", "name", "detach")
}

// passedOn returns the variables that --env passes to the container: those that
// the unit sets, without those of the host and of systemd.
func passedOn(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, found := strings.Cut(variable, "=")
		return !found || name == "" || ofHost(name)
	})
}

// ofHost reports whether a variable describes the host: HOME and PATH, which
// systemd-docker left out, and the variables that systemd sets for each process
// (systemd.exec(5), "Environment variables set or propagated by the service
// manager"). LANG is not one of them: systemd sets it too, but a unit that sets it
// means the container.
func ofHost(name string) bool {
	switch name {
	case "HOME", "PATH", "USER", "LOGNAME", "SHELL", "TERM",
		"INVOCATION_ID", "JOURNAL_STREAM", "LOG_NAMESPACE", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "FDSTORE", "REMOTE_ADDR", "REMOTE_PORT",
		"MAINPID", "MANAGERPID", "MANAGERPIDFDID", "SYSTEMD_EXEC_PID", "PIDFILE", "DEBUG_INVOCATION",
		"RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY",
		"CREDENTIALS_DIRECTORY", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
		"XDG_RUNTIME_DIR", "XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_SESSION_CLASS", "XDG_SEAT", "XDG_VTNR",
		"TRIGGER_UNIT", "TRIGGER_PATH", "TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC",
		"MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS", "MONITOR_INVOCATION_ID", "MONITOR_UNIT":
		return true
	}
	return false
}
