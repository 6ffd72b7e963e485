// Package dockerrun converts the command line of docker run to a container.
// docker/cli itself parses it, so every flag means what it means to docker run.
// The package never connects to Docker, prints nothing and reads no terminal. It
// reads files that the command line names (--env-file, --label-file, a seccomp
// profile), the proxies in Docker's config.json, and, like docker/cli, the
// process's variables for -e NAME and DOCKER_DEFAULT_PLATFORM.
package dockerrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// Options is the context of a command line.
type Options struct {
	// Program is the command's name in messages; "" means "dockhost run".
	Program string
	// Flags are more flags of the caller, accepted among those of docker run. It
	// may be nil.
	Flags *pflag.FlagSet
	// Host is Docker's address, as in DOCKER_HOST; "" means Docker's default.
	// config.json may have different proxies for each address.
	Host string
	// ConfigDir is the directory of config.json; "" means no proxies.
	ConfigDir string
	// Environ is the unit's environment, NAME=VALUE, and Account the user that runs
	// the unit. Only systemd-docker's --env uses them.
	Environ []string
	Account Account
	// WritesUnit is true for a caller that writes the container's unit, with
	// [spec.Container.Restart] in it. Otherwise the user writes it, and gets a hint.
	WritesUnit bool
	// Hint is called with advice about an accepted command line. It may be nil.
	Hint func(text string)
}

func (o Options) hint(text string) {
	if o.Hint != nil {
		o.Hint(text)
	}
}

// ErrHelp is returned when the command line contains --help.
var ErrHelp = errors.New("help requested")

// seeHelp ends the errors that a mistyped flag may cause.
func (o Options) seeHelp() string {
	return "(see: " + cmp.Or(o.Program, "dockhost run") + " --help)"
}

// Parse returns the container that the arguments of docker run describe. The
// arguments may include dockhost's own options. The container's name may be "".
// The error has every problem on a line of its own, and no values of environment
// variables. It is [ErrHelp] for --help.
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
	if err := unfilled(words[0]); err != nil {
		return nil, err
	}

	c := &spec.Container{Image: words[0], Run: &spec.Run{}}
	hints, err := takeRestart(flags, c, o.WritesUnit)
	problems := errors.Join(own.apply(c), err, refuse(flags, c.Image), take(flags, c))
	cmd.SetContext(context.Background())
	if err := cmd.RunE(cmd, words); engine.created == nil {
		return nil, errors.Join(problems, explain(err, flags))
	}
	engine.created.fill(c)
	if err := errors.Join(problems, own.applyGPU(c), checkHealth(c)); err != nil {
		return nil, err
	}
	for _, text := range hints {
		o.hint(text)
	}
	return c, nil
}

// take reads the flags of docker run that the supervisor implements, and resets
// them so that docker/cli does not: it must not pull, write the ID to a file or
// attach.
func take(flags *pflag.FlagSet, c *spec.Container) error {
	var problems []error
	c.Name = text(flags, "name")
	if c.Name != "" && !containerName.MatchString(c.Name) {
		problems = append(problems, badName(c.Name))
	}
	c.Platform = text(flags, "platform")
	c.Runtime = text(flags, "runtime")
	c.Run.Keep = !isSet(flags, "rm")
	c.Run.Background = isSet(flags, "detach")
	c.Run.ForwardSignals = isSet(flags, "sig-proxy")
	c.Run.Stdout, c.Run.Stderr = attached(flags)
	switch pull := text(flags, "pull"); pull {
	case "":
		// Docker accepts an empty policy, and does not pull.
		c.PullPolicy = spec.PullNever
	case string(spec.PullAlways), string(spec.PullMissing), string(spec.PullNever):
		c.PullPolicy = spec.PullPolicy(pull)
		set(flags, "pull", string(spec.PullNever))
	}
	if file := text(flags, "cidfile"); file != "" {
		path, err := filepath.Abs(file)
		c.Run.CIDFile = path
		problems = append(problems, err)
	}
	reset(flags, "attach", "cidfile", "rm", "runtime")
	// Create the container as for docker run -d: the supervisor attaches itself.
	set(flags, "detach", "true")
	return errors.Join(problems...)
}

// attached returns the output to relay: what -a names, or all of it. -d has no
// effect here, while docker run -d relays nothing.
func attached(flags *pflag.FlagSet) (stdout, stderr bool) {
	attach := flags.Lookup("attach").Value.(*opts.ListOpts)
	return attach.Len() == 0 || attach.Get("stdout"), attach.Len() == 0 || attach.Get("stderr")
}

// containerName is the form of container names in Docker
// (daemon/names.RestrictedNameChars). Names become parts of paths, too.
var containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// badName says what is wrong with a name. The unit of a template has an "@" in its
// name, and so in %n.
func badName(name string) error {
	cure := ""
	if strings.Contains(name, "@") {
		cure = " (in a template unit write --name %p-%i instead of %n)"
	}
	return fmt.Errorf("--name: cannot use %q as the name of a container: "+
		"use at least 2 letters, digits, \"_\", \".\" and \"-\", beginning with a letter or a digit%s", name, cure)
}

// unfilled returns an error for an image that nobody filled in: a shell, systemd or
// a template engine was to replace a variable.
func unfilled(image string) error {
	const cure = "set the variable, or write the image reference itself"
	switch {
	case strings.TrimSpace(image) == "":
		return fmt.Errorf("the image is empty: a variable that names it may not be set (%s)", cure)
	case strings.ContainsAny(image, "${}<>%"):
		return fmt.Errorf("the image is %q: a variable in it is not filled in (%s)", image, cure)
	}
	return nil
}

// checkHealth reports a container that could never become ready, with any image.
func checkHealth(c *spec.Container) error {
	if c.CheckReadiness(true) != nil {
		return errors.New("--sdnotify healthy: cannot wait for a health check that --no-healthcheck disables " +
			"(remove one of them)")
	}
	return nil
}
