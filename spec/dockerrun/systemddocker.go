package dockerrun

import (
	"errors"
	"fmt"
	"io"

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
	if old.help {
		return nil, ErrHelp
	}
	words, err := old.runArgs(args)
	if err == nil {
		err = old.clientOptions()
	}
	if err != nil {
		return nil, err
	}
	c, err := Parse(append(old.options(o), oldRunArgs(words)...), o)
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
       systemd-docker [OPTIONS] -- [OPTIONS OF DOCKER RUN] IMAGE [COMMAND] [ARG...]

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
	rm      bool
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
	o.flags.BoolVar(&o.rm, "rm", true, "Remove the container at its end; with -- instead of run only")
	o.flags.BoolVar(&o.help, "help", false, "Print usage")
	o.addClientOptions()
	return o
}

// runArgs returns the arguments of docker run. They follow the word run, the words
// container run, or "--" as in a later systemd-docker, which had no word.
func (o *oldOptions) runArgs(args []string) ([]string, error) {
	words := o.flags.Args()
	if dash := len(args) - len(words) - 1; dash >= 0 && args[dash] == "--" && len(words) > 0 && words[0] != "run" {
		return words, nil
	}
	if len(words) > 1 && words[0] == "container" {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return nil, errors.New(`"run" is missing after the options (see: systemd-docker --help)`)
	case words[0] != "run":
		return nil, fmt.Errorf("unknown command %q: systemd-docker has only run (see: systemd-docker --help)", words[0])
	}
	return words[1:], nil
}

func (o *oldOptions) names() []string {
	var names []string
	o.flags.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}

// options returns the equivalent options of dockhost run. They come first, so that
// options after run override them.
func (o *oldOptions) options(context Options) []string {
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
	if o.flags.Changed("rm") {
		args = append(args, fmt.Sprintf("--rm=%t", o.rm))
	}
	if o.env {
		for _, variable := range context.Account.passedOn(context.Environ) {
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
