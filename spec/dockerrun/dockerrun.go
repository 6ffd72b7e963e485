// Package dockerrun turns the command line of docker run into a container.
// docker/cli itself parses it, so that each flag means what it means to
// docker run, and there is no table of flags here. It asks no Docker Engine,
// prints nothing, and reads no terminal; it reads the files that the command
// line names (--env-file, --label-file, a seccomp profile), Docker's
// config.json for the proxies in it, and, as docker/cli does, the process's
// own variables for -e NAME and DOCKER_DEFAULT_PLATFORM.
package dockerrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// Options are what a command line means something by beside itself.
type Options struct {
	// Program is what is called, for messages; "" is "dockhost run".
	Program string
	// Flags are the caller's own, which stand among those of docker run; nil is
	// none.
	Flags *pflag.FlagSet
	// Host is the Engine's address as DOCKER_HOST has it; "" is Docker's own
	// default. config.json may have proxies for each Engine.
	Host string
	// ConfigDir has the config.json with the proxies; "" is none.
	ConfigDir string
	// Environ is the unit's environment, NAME=VALUE. Only systemd-docker's
	// --env passes it on.
	Environ []string
}

// ErrHelp is returned when the command line asks for help, and nothing else of
// it counts.
var ErrHelp = errors.New("help was asked for")

// seeHelp ends the errors of whoever may have mistyped a flag.
func (o Options) seeHelp() string {
	return "(see: " + cmp.Or(o.Program, "dockhost run") + " --help)"
}

// Parse returns the container that the arguments of docker run describe, and
// what dockhost's own options among them say. The name is "" when none was
// given. The error holds every problem that was found, each on a line of its
// own, and no value of an environment variable. It is [ErrHelp] for --help.
func Parse(args []string, o Options) (*spec.Container, error) {
	config, err := loadConfig(o.ConfigDir)
	if err != nil {
		return nil, err
	}
	engine := newCapture(o.Host)
	cmd := newCommand(&dockerCLI{engine: engine, config: config})
	flags := cmd.Flags()
	own := addOwn(flags)
	flags.AddFlagSet(o.Flags)
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("%s %s", describe(err), o.seeHelp())
	}
	if isSet(flags, "help") {
		return nil, ErrHelp
	}
	words := flags.Args()
	if len(words) == 0 {
		return nil, errors.New("no image is named " + o.seeHelp())
	}

	made := &spec.Container{Image: words[0], Run: &spec.Run{}}
	problems := errors.Join(own.apply(made), refuse(flags, made.Image), take(flags, made))
	cmd.SetContext(context.Background())
	if err := cmd.RunE(cmd, words); engine.created == nil {
		return nil, errors.Join(problems, explain(err, flags))
	}
	engine.created.fill(made)
	if err := errors.Join(problems, own.applyGPU(made), checkHealth(made)); err != nil {
		return nil, err
	}
	return made, nil
}

// take reads those flags of docker run that the Engine is not asked for, and
// sets them so that docker/cli does nothing about them: it neither pulls, nor
// writes the id into a file, nor attaches.
func take(flags *pflag.FlagSet, made *spec.Container) error {
	var problems []error
	made.Name = text(flags, "name")
	if made.Name != "" && !containerName.MatchString(made.Name) {
		problems = append(problems, fmt.Errorf("--name: cannot use %q as the name of a container: "+
			"use at least 2 letters, digits, \"_\", \".\" and \"-\", beginning with a letter or a digit", made.Name))
	}
	made.Platform = text(flags, "platform")
	made.Runtime = text(flags, "runtime")
	made.Run.Keep = !isSet(flags, "rm")
	made.Run.ForwardSignals = isSet(flags, "sig-proxy")
	made.Run.Stdout, made.Run.Stderr = attached(flags)
	switch pull := text(flags, "pull"); pull {
	case "":
		// Docker takes it, and then pulls nothing.
		made.PullPolicy = spec.PullNever
	case string(spec.PullAlways), string(spec.PullMissing), string(spec.PullNever):
		made.PullPolicy = spec.PullPolicy(pull)
		set(flags, "pull", string(spec.PullNever))
	}
	if file := text(flags, "cidfile"); file != "" {
		path, err := filepath.Abs(file)
		made.Run.CIDFile = path
		problems = append(problems, err)
	}
	reset(flags, "attach", "cidfile", "rm", "runtime")
	// What docker run asks the Engine for with -d is what is wanted here: the
	// supervisor attaches by itself.
	set(flags, "detach", "true")
	return errors.Join(problems...)
}

// attached says which output is relayed: what -a names, or all of it. With -d,
// docker run would relay nothing; here -d has no effect.
func attached(flags *pflag.FlagSet) (stdout, stderr bool) {
	attach := flags.Lookup("attach").Value.(*opts.ListOpts)
	return attach.Len() == 0 || attach.Get("stdout"), attach.Len() == 0 || attach.Get("stderr")
}

// containerName is what Docker takes for a container name
// (daemon/names.RestrictedNameChars). It becomes a part of paths, too.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// checkHealth finds what could never become ready, whatever the image is.
func checkHealth(made *spec.Container) error {
	if made.CheckReadiness(true) != nil {
		return errors.New("--sdnotify healthy: cannot wait for a health check that --no-healthcheck disables " +
			"(remove one of them)")
	}
	return nil
}
