package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// defaultRetries is how many failed checks make a container unhealthy that does
// not say (moby: daemon/health.go).
const defaultRetries = 3

// CreateRequest is one container to make.
type CreateRequest struct {
	Name       string
	Platform   string
	Config     *container.Config
	HostConfig *container.HostConfig
	Networking *network.NetworkingConfig
}

// Container is what the Engine says of a container.
type Container struct {
	ID    string
	Name  string
	Image string
	// ImageID identifies the content that the container was made of.
	ImageID string
	Labels  map[string]string
	// Status is the Engine's word: created, running, exited, removing, ...
	Status  string
	Running bool
	// Pid is the container's first process, 0 when it does not run.
	Pid       int
	ExitCode  int
	OOMKilled bool
	// Health is "healthy", "unhealthy", "starting", or "" without a check.
	Health string
	// HealthOutput is what the last check printed.
	HealthOutput string
	// HealthFailures is how many checks in a row have failed, HealthRetries how
	// many of them make the container unhealthy.
	HealthFailures, HealthRetries int
	// NetworkMode is "bridge", "none", "host", "container:ID" or the name of a
	// network, Addresses what the container has in its networks.
	NetworkMode string
	Addresses   []netip.Addr
	StartedAt   time.Time
	// Error is why the Engine could not start it. ExitCode is then 127 for a
	// command that is not there, 126 for one that cannot be executed, and
	// 128 for all else.
	Error string
	// Memory is the limit on its memory in bytes, 0 for none.
	Memory int64
	// StopSignal is the configuration's own or the image's, as it is written;
	// "" is SIGTERM.
	StopSignal string
}

// Create makes a container and returns its id and the Engine's warnings. The
// error is [ErrConflict] when the name is taken, [ErrNotFound] when the image
// is not there, [ErrRuntimeMissing] when the OCI runtime is not registered.
func (c *Client) Create(ctx context.Context, req CreateRequest) (string, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var platform *ocispec.Platform
	if req.Platform != "" {
		parsed, err := platforms.Parse(req.Platform)
		if err != nil {
			return "", nil, fmt.Errorf("create container %q: platform %q: %w", req.Name, req.Platform, err)
		}
		platform = &parsed
	}
	req, err := c.fit(ctx, req)
	if err != nil {
		return "", nil, fmt.Errorf("create container %q: %w", req.Name, err)
	}
	made, err := c.api.ContainerCreate(ctx, req.Config, req.HostConfig, req.Networking, platform, req.Name)
	if err != nil {
		return "", nil, fmt.Errorf("create container %q: %w", req.Name, c.explainCreate(ctx, req, translate(err)))
	}
	return made.ID, made.Warnings, nil
}

// explainCreate asks, when the Engine refused a request, whether it was for
// the runtime: the Engine says so only in words.
func (c *Client) explainCreate(ctx context.Context, req CreateRequest, err error) error {
	runtime := req.HostConfig.Runtime
	if runtime == "" || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return err
	}
	runtimes, infoErr := c.Runtimes(ctx)
	if _, registered := runtimes[runtime]; infoErr == nil && !registered {
		return missingRuntime(runtime)
	}
	return err
}

// Start starts a container that was created.
func (c *Client) Start(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return fmt.Errorf("start container: %w", translate(err))
	}
	return nil
}

// Stop ends a container with its own stop signal, and kills it when it has not
// ended after grace; never when grace is negative. A container that does not
// run is no error.
func (c *Client) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := -1
	if grace >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, grace+callTimeout)
		defer cancel()
		seconds = int(grace.Round(time.Second).Seconds())
	}
	err := c.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	if err != nil && !cerrdefs.IsNotModified(err) {
		return fmt.Errorf("stop container: %w", translate(err))
	}
	return nil
}

// Kill sends the container's first process a signal: "HUP", "SIGHUP" or a
// number. The error is [ErrConflict] when the container does not run.
func (c *Client) Kill(ctx context.Context, id, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api.ContainerKill(ctx, id, signal); err != nil {
		return fmt.Errorf("send signal %s to the container: %w", signal, translate(err))
	}
	return nil
}

// Remove removes a container, also a running one, and its anonymous volumes.
// One that is not there is no error; one that somebody else is removing is
// waited for.
func (c *Client) Remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := translate(c.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	if errors.Is(err, ErrConflict) {
		err = c.removed(ctx, id)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

// removed returns when there is no such container any more.
func (c *Client) removed(ctx context.Context, id string) error {
	results, errs := c.api.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case result := <-results:
		if result.Error != nil && result.Error.Message != "" {
			return errors.New(result.Error.Message)
		}
		return nil
	case err := <-errs:
		return translate(err)
	}
}

// Inspect returns a container by id or name. The error is [ErrNotFound] when
// there is none.
func (c *Client) Inspect(ctx context.Context, id string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, fmt.Errorf("inspect container %q: %w", id, translate(err))
	}
	return containerFrom(found), nil
}

func containerFrom(found container.InspectResponse) Container {
	out := Container{
		ID: found.ID, Name: trimName(found.Name), ImageID: found.Image,
		Status: found.State.Status, Running: found.State.Running, Pid: found.State.Pid,
		ExitCode: found.State.ExitCode, OOMKilled: found.State.OOMKilled, Error: found.State.Error,
	}
	if found.Config != nil {
		out.Image, out.Labels, out.StopSignal = found.Config.Image, found.Config.Labels, found.Config.StopSignal
		if check := found.Config.Healthcheck; check != nil {
			out.HealthRetries = check.Retries
		}
	}
	if found.HostConfig != nil {
		out.Memory, out.NetworkMode = found.HostConfig.Memory, string(found.HostConfig.NetworkMode)
	}
	out.Addresses = addresses(found.NetworkSettings)
	if at, err := time.Parse(time.RFC3339Nano, found.State.StartedAt); err == nil {
		out.StartedAt = at
	}
	if health := found.State.Health; health != nil && health.Status != container.NoHealthcheck {
		out.Health, out.HealthFailures = health.Status, health.FailingStreak
		if out.HealthRetries == 0 {
			out.HealthRetries = defaultRetries
		}
		if n := len(health.Log); n > 0 {
			out.HealthOutput = health.Log[n-1].Output
		}
	}
	return out
}

// addresses are a container's in all its networks, IPv4 first.
func addresses(settings *container.NetworkSettings) []netip.Addr {
	if settings == nil {
		return nil
	}
	var found []netip.Addr
	for _, attached := range settings.Networks {
		for _, text := range []string{attached.IPAddress, attached.GlobalIPv6Address} {
			if address, err := netip.ParseAddr(text); err == nil {
				found = append(found, address)
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found
}

// trimName takes off the slash that the API puts before a name.
func trimName(name string) string {
	if len(name) > 0 && name[0] == '/' {
		return name[1:]
	}
	return name
}
