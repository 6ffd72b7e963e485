package dockerrun

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/pflag"

	"github.com/dockhost/dockhost/spec"
)

// own has the values of dockhost's own options. The command line has them among
// those of docker run.
type own struct {
	notify       string
	reloadSignal string
	reloadCmd    string
	stallTimeout time.Duration
	logs         bool
	pidFile      string
	cgroups      []string
	gpu          []string
}

// addOwn adds dockhost's own options to a set of flags. pflag panics if an option
// exists already.
func addOwn(flags *pflag.FlagSet) *own {
	o := &own{}
	flags.StringVar(&o.notify, "sdnotify", string(spec.NotifyStarted),
		"When the container is ready: `MODE` is started, healthy, container, off,\n"+
			"tcp:PORT, http://:PORT/PATH or https://:PORT/PATH")
	flags.StringVar(&o.reloadSignal, "reload-signal", "", "Send `SIGNAL` to the container when the unit is reloaded")
	flags.StringVar(&o.reloadCmd, "reload-cmd", "", "Run `COMMAND` in the container when the unit is reloaded")
	flags.DurationVar(&o.stallTimeout, "pull-stall-timeout", spec.DefaultPullStallTimeout,
		"Stop a pull that receives no bytes for this `TIME`, and try again")
	flags.StringArrayVar(&o.gpu, "gpu-opt", nil, "Set an `OPTION` for the GPUs: mode=docker, wait=TIME, exclusive=true, check=TIME or\n"+
		"on_loss=restart; may be repeated")
	flags.BoolVar(&o.logs, "logs", true, "Relay the container's output")
	flags.StringVar(&o.pidFile, "pid-file", "", "Write the PID of the container's first process to `FILE`")
	flags.StringArrayVar(&o.cgroups, "cgroups", nil, cgroupsUsage)
	return o
}

const cgroupsUsage = "Keep the container in its unit's cgroup only in this cgroup v1 `HIERARCHY`, such as\n" +
	"name=systemd or memory; may be repeated (default all)"

// apply sets the options in a container, and returns their problems.
func (o *own) apply(c *spec.Container) error {
	var problems []error
	note := func(err error) { problems = append(problems, err) }
	var err error
	if c.Notify, err = spec.ParseNotify(o.notify); err != nil {
		note(fmt.Errorf("--sdnotify: %w", err))
	}
	c.Reload, err = o.reload()
	note(err)
	if c.PullStallTimeout = o.stallTimeout; o.stallTimeout <= 0 {
		note(fmt.Errorf("--pull-stall-timeout: cannot use %s: use a time above 0, such as 60s", o.stallTimeout))
	}
	if o.pidFile != "" {
		c.Run.PIDFile, err = filepath.Abs(o.pidFile)
		note(err)
	}
	c.Run.Quiet = !o.logs
	c.Run.Controllers, err = controllers(o.cgroups)
	note(err)
	return errors.Join(problems...)
}

// reload returns what a reload of the unit does, or nil.
func (o *own) reload() (*spec.Reload, error) {
	switch {
	case o.reloadSignal != "" && o.reloadCmd != "":
		return nil, errors.New("--reload-signal and --reload-cmd: use one of them")
	case o.reloadSignal != "":
		name := strings.ToUpper(o.reloadSignal)
		if !spec.IsSignal(name) {
			return nil, fmt.Errorf("--reload-signal: cannot use %q as a signal: write a name such as HUP, or a number",
				o.reloadSignal)
		}
		return &spec.Reload{Signal: name}, nil
	case o.reloadCmd != "":
		words, err := splitCommand(o.reloadCmd)
		if err != nil {
			return nil, fmt.Errorf("--reload-cmd: %w", err)
		}
		return &spec.Reload{Exec: words}, nil
	}
	return nil, nil
}

// splitCommand splits a command line into words like a shell, without expansions.
func splitCommand(line string) ([]string, error) {
	parser := shellwords.NewParser()
	words, err := parser.Parse(line)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot split %q into words: close its quotes and parentheses", line)
	case parser.Position >= 0:
		return nil, fmt.Errorf("cannot use %q: no shell runs it (quote the shell's special characters, or use: sh -c '...')", line)
	case len(words) == 0:
		return nil, errors.New("the command is empty")
	}
	return words, nil
}

// controllers returns the hierarchies in which the container is in the cgroup of
// its unit; nil means all of them.
func controllers(names []string) ([]string, error) {
	if slices.Contains(names, "") {
		return nil, errors.New("--cgroups: the name is empty: use all, name=systemd or a controller such as memory")
	}
	if slices.Contains(names, "all") || slices.Contains(names, "name=all") {
		return nil, nil
	}
	return names, nil
}

// applyGPU moves the device requests that dockhost grants itself from Docker's
// settings to dockhost's.
func (o *own) applyGPU(c *spec.Container) error {
	var problems []error
	var options *spec.GPUOptions
	for _, option := range o.gpu {
		name, value, _ := strings.Cut(option, "=")
		if !slices.Contains(spec.GPUOptionNames(), name) {
			problems = append(problems, fmt.Errorf("--gpu-opt: unknown option %q: use %s", name, strings.Join(spec.GPUOptionNames(), ", ")))
			continue
		}
		if options == nil {
			options = &spec.GPUOptions{}
		}
		if err := options.Set(name, value); err != nil {
			problems = append(problems, fmt.Errorf("--gpu-opt %s: %w", name, err))
		}
	}
	c.ApplyGPU(options, func(i int, err error) {
		flag := "--gpus"
		switch i {
		case spec.GPUOptionsWrong:
			flag = "--gpu-opt"
		case spec.GPUVariableWrong:
			flag = "--env"
		}
		problems = append(problems, fmt.Errorf("%s: %w", flag, err))
	})
	return errors.Join(problems...)
}
