package spec

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// GPUOptions are the settings for GPUs in a declaration.
type GPUOptions struct {
	// Docker leaves the request to Docker.
	Docker bool
	// The other fields are as in [GPU].
	Wait      time.Duration
	Exclusive bool
	Check     time.Duration
	OnLoss    GPULoss
}

// GPUOptionNames returns the names that [GPUOptions.Set] accepts.
func GPUOptionNames() []string { return []string{"check", "exclusive", "mode", "on_loss", "wait"} }

// Set parses and sets one option.
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
			return fmt.Errorf("cannot use %q: use report, or restart to restart the container", shorten(value))
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
		return 0, fmt.Errorf("cannot use %s: the shortest time is %s", value, least)
	}
	return value, nil
}

// verify finds options that have no effect together.
func (o GPUOptions) verify() error {
	switch {
	case o.Docker && o != (GPUOptions{Docker: true}):
		return errors.New("mode docker leaves the GPUs to Docker, so the other options have no effect (leave them out)")
	case o.OnLoss != LossReport && o.Check == 0:
		return errors.New("on_loss has no effect without check (add check, such as 60s)")
	}
	return nil
}

// ApplyGPU sets the container's GPU from its device requests and the options,
// which are nil if none were declared. It calls report like [Container.TakeGPUs],
// with [GPUOptionsWrong] for wrong options.
func (c *Container) ApplyGPU(o *GPUOptions, report func(i int, err error)) {
	if o == nil {
		o = &GPUOptions{}
	} else if err := o.verify(); err != nil {
		report(GPUOptionsWrong, err)
	}
	requested := len(c.HostConfig.DeviceRequests) > 0
	if !o.Docker {
		c.TakeGPUs(report)
	}
	switch {
	case c.GPU != nil:
		c.GPU.Wait, c.GPU.Exclusive, c.GPU.Check, c.GPU.OnLoss = o.Wait, o.Exclusive, o.Check, o.OnLoss
	case *o != (GPUOptions{}) && !requested:
		report(GPUOptionsWrong, errors.New("no GPU is requested (add gpus)"))
	}
}

// GPUVariableWrong and GPUOptionsWrong are passed to a report function instead
// of the index of a device request.
const (
	GPUVariableWrong = -1
	GPUOptionsWrong  = -2
)
