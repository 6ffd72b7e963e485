package spec

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// GPUOptions are what a declaration says about the GPUs that it asks for
// beside the request.
type GPUOptions struct {
	// Docker leaves the request to Docker.
	Docker bool
	// The rest is as in [GPU].
	Wait      time.Duration
	Exclusive bool
	Check     time.Duration
	OnLoss    GPULoss
}

// GPUOptionNames are the names that [GPUOptions.Set] knows.
func GPUOptionNames() []string { return []string{"check", "exclusive", "mode", "on_loss", "wait"} }

// Set sets one option to what was written.
func (o *GPUOptions) Set(name, value string) error {
	var err error
	switch name {
	case "mode":
		o.Docker = value == "docker"
		if value != "docker" && value != "dockhost" {
			return fmt.Errorf("cannot use %q: use dockhost, or docker to leave the GPUs to Docker's own support", shorten(value))
		}
	case "wait":
		o.Wait, err = gpuTime(value, 0)
	case "check":
		o.Check, err = gpuTime(value, MinGPUCheck)
	case "exclusive":
		if o.Exclusive, err = strconv.ParseBool(value); err != nil {
			return errors.New("neither true nor false")
		}
	case "on_loss":
		switch value {
		case "restart":
			o.OnLoss = LossRestart
		case "report":
			o.OnLoss = LossReport
		default:
			return fmt.Errorf("cannot use %q: use report, or restart to start the container anew", shorten(value))
		}
	}
	return err
}

func gpuTime(text string, least time.Duration) (time.Duration, error) {
	value, err := time.ParseDuration(text)
	if err != nil || value <= 0 {
		return 0, errors.New("cannot use this as a time: write a number and a unit, such as 60s")
	}
	if value < least {
		return 0, fmt.Errorf("cannot use %s: the shortest is %s", value, least)
	}
	return value, nil
}

// verify finds options that say nothing together.
func (o GPUOptions) verify() error {
	switch {
	case o.Docker && o != (GPUOptions{Docker: true}):
		return errors.New("mode docker leaves the GPUs to Docker: the other options have no effect with it (leave them out)")
	case o.OnLoss != LossReport && o.Check == 0:
		return errors.New("on_loss needs to be told of a loss (add check, such as 60s)")
	}
	return nil
}

// ApplyGPU makes the container's GPU of what the Engine would be asked for and
// of the options, nil where none were declared. at notes what is wrong, as
// [Container.TakeGPUs] does; the number is [GPUOptionsWrong] where it is the
// options.
func (c *Container) ApplyGPU(o *GPUOptions, at func(i int, err error)) {
	if o == nil {
		o = &GPUOptions{}
	} else if err := o.verify(); err != nil {
		at(GPUOptionsWrong, err)
	}
	asked := len(c.HostConfig.DeviceRequests) > 0
	if !o.Docker {
		c.TakeGPUs(at)
	}
	switch {
	case c.GPU != nil:
		c.GPU.Wait, c.GPU.Exclusive, c.GPU.Check, c.GPU.OnLoss = o.Wait, o.Exclusive, o.Check, o.OnLoss
	case *o != (GPUOptions{}) && !asked:
		at(GPUOptionsWrong, errors.New("no GPU is asked for (add gpus)"))
	}
}

// GPUVariableWrong and GPUOptionsWrong are the numbers that stand for no
// request of the Engine's.
const (
	GPUVariableWrong = -1
	GPUOptionsWrong  = -2
)
