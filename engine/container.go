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

// defaultRetries is the default number of failed health checks that make a container
// unhealthy (moby: daemon/health.go).
const defaultRetries = 3

// CreateRequest describes a container to create.
type CreateRequest struct {
	Name       string
	Platform   string
	Config     *container.Config
	HostConfig *container.HostConfig
	Networking *network.NetworkingConfig
}

// Container is the state of a container.
type Container struct {
	ID    string
	Name  string
	Image string
	// ImageID is the ID of the image from which it was created.
	ImageID string
	Labels  map[string]string
	// Status is the Engine's status: created, running, exited, removing, ...
	Status  string
	Running bool
	// Paused says that someone has frozen its processes (docker pause).
	Paused bool
	// Pid is the process ID of its first process, 0 if it does not run.
	Pid       int
	ExitCode  int
	OOMKilled bool
	// Health is "healthy", "unhealthy", "starting", or "" without a health check.
	Health string
	// HealthOutput is the output of the last health check, HealthExit its exit status, and
	// HealthAt when it ended; zero before the first one.
	HealthOutput string
	HealthExit   int
	HealthAt     time.Time
	// HealthFailures is the number of consecutive failed checks, HealthRetries the
	// number that makes the container unhealthy.
	HealthFailures, HealthRetries int
	// NetworkMode is "bridge", "none", "host", "container:ID" or the name of a
	// network. Addresses are the container's addresses in its networks.
	NetworkMode string
	// CgroupParent is the parent cgroup that it was created with.
	CgroupParent string
	Addresses    []netip.Addr
	// Ports are the ports that it publishes: "0.0.0.0:8080->80/tcp".
	Ports     []string
	StartedAt time.Time
	// Env are its variables, which may be secret.
	Env []string
	// Error says why the Engine could not start it. ExitCode is then 127 if the
	// command does not exist, 126 if it cannot be executed, and otherwise 128.
	Error string
	// Memory is its memory limit in bytes, 0 for none.
	Memory int64
	// StopSignal is the stop signal of the container or its image, as written there.
	// "" is SIGTERM.
	StopSignal string
	// Volumes are the names of its anonymous volumes, by the path at which they are
	// mounted. Mounts are the paths of all its mounts.
	Volumes map[string]string
	Mounts  []string
}

// Create creates a container and returns its id and the Engine's warnings. The error
// is [ErrConflict] if the name is taken, [ErrNotFound] if the image does not exist
// on the host, and [ErrRuntimeMissing] if the OCI runtime is not registered.
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
	req, others, err := c.fit(ctx, req)
	if err != nil {
		return "", nil, fmt.Errorf("create container %q: %w", req.Name, err)
	}
	made, err := c.api().ContainerCreate(ctx, req.Config, req.HostConfig, req.Networking, platform, req.Name)
	if err != nil {
		return "", nil, fmt.Errorf("create container %q: %w", req.Name, c.explainCreate(ctx, req, translate(err)))
	}
	if err := c.connect(ctx, made.ID, others); err != nil {
		return "", nil, fmt.Errorf("create container %q: %w", req.Name, errors.Join(err, c.Remove(ctx, made.ID)))
	}
	return made.ID, made.Warnings, nil
}

// explainCreate checks whether the Engine refused a request because of the runtime. The
// Engine's error says so only in its text.
func (c *Client) explainCreate(ctx context.Context, req CreateRequest, err error) error {
	runtime := req.HostConfig.Runtime
	if runtime == "" || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return err
	}
	runtimes, infoErr := c.Runtimes(ctx)
	if podman, isPodman := errors.AsType[*PodmanError](infoErr); isPodman {
		return podman
	}
	if _, registered := runtimes[runtime]; infoErr == nil && !registered {
		return missingRuntime(runtime)
	}
	return err
}

// Start starts a created container. The error is an [AllocatedError] if Docker has
// given a port that it publishes to another container, and [ErrUnreachable] if the
// Engine goes away meanwhile.
func (c *Client) Start(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api().ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return fmt.Errorf("start container: %w", stale(allocated(translate(err))))
	}
	return nil
}

// Stop sends a container its stop signal, and kills it if it still runs after grace.
// With a negative grace, Stop never kills it. It is not an error if the container
// does not run.
func (c *Client) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := -1
	if grace >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, grace+callTimeout)
		defer cancel()
		seconds = int(grace.Round(time.Second).Seconds())
	}
	err := c.api().ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	if err != nil && !cerrdefs.IsNotModified(err) {
		return fmt.Errorf("stop container: %w", translate(err))
	}
	return nil
}

// Kill sends the container's first process a signal: "HUP", "SIGHUP" or a
// number. The error is [ErrConflict] if the container does not run.
func (c *Client) Kill(ctx context.Context, id, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api().ContainerKill(ctx, id, signal); err != nil {
		return fmt.Errorf("send signal %s to the container: %w", signal, translate(err))
	}
	return nil
}

// Remove removes a container, running or not, and keeps its volumes. It is not an
// error if the container does not exist. If another client is removing it, Remove
// waits until it is gone.
func (c *Client) Remove(ctx context.Context, id string) error { return c.remove(ctx, id, false) }

// RemoveWithVolumes is Remove, and removes the anonymous volumes as well.
func (c *Client) RemoveWithVolumes(ctx context.Context, id string) error {
	return c.remove(ctx, id, true)
}

func (c *Client) remove(ctx context.Context, id string, volumes bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := translate(c.api().ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: volumes}))
	if errors.Is(err, ErrConflict) {
		err = c.removed(ctx, id)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

// removed returns when the container no longer exists.
func (c *Client) removed(ctx context.Context, id string) error {
	results, errs := c.api().ContainerWait(ctx, id, container.WaitConditionRemoved)
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

// Inspect returns a container by id or name. The error is [ErrNotFound] if it does
// not exist.
func (c *Client) Inspect(ctx context.Context, id string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.api().ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, fmt.Errorf("inspect container %q: %w", id, translate(err))
	}
	return containerFrom(response), nil
}

func containerFrom(response container.InspectResponse) Container {
	out := Container{
		ID: response.ID, Name: trimName(response.Name), ImageID: response.Image,
		Status: response.State.Status, Running: response.State.Running, Paused: response.State.Paused, Pid: response.State.Pid,
		ExitCode: response.State.ExitCode, OOMKilled: response.State.OOMKilled, Error: response.State.Error,
	}
	if response.Config != nil {
		out.Image, out.Labels, out.StopSignal = response.Config.Image, response.Config.Labels, response.Config.StopSignal
		out.Env = response.Config.Env
		if check := response.Config.Healthcheck; check != nil {
			out.HealthRetries = check.Retries
		}
	}
	if response.HostConfig != nil {
		out.Memory, out.NetworkMode = response.HostConfig.Memory, string(response.HostConfig.NetworkMode)
		out.CgroupParent = response.HostConfig.CgroupParent
	}
	out.Addresses, out.Volumes = addresses(response.NetworkSettings), anonymousVolumes(response.Mounts)
	out.Ports = publishedPorts(response.NetworkSettings)
	for _, m := range response.Mounts {
		out.Mounts = append(out.Mounts, m.Destination)
	}
	if at, err := time.Parse(time.RFC3339Nano, response.State.StartedAt); err == nil {
		out.StartedAt = at
	}
	if health := response.State.Health; health != nil && health.Status != container.NoHealthcheck {
		out.Health, out.HealthFailures = health.Status, health.FailingStreak
		if out.HealthRetries == 0 {
			out.HealthRetries = defaultRetries
		}
		if n := len(health.Log); n > 0 {
			last := health.Log[n-1]
			out.HealthOutput, out.HealthExit, out.HealthAt = last.Output, last.ExitCode, last.End
		}
	}
	return out
}

// addresses returns a container's addresses in all its networks, IPv4 first.
func addresses(settings *container.NetworkSettings) []netip.Addr {
	if settings == nil {
		return nil
	}
	var all []netip.Addr
	for _, attached := range settings.Networks {
		for _, text := range []string{attached.IPAddress, attached.GlobalIPv6Address} {
			if address, err := netip.ParseAddr(text); err == nil {
				all = append(all, address)
			}
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// trimName removes the slash that the API puts before a name.
func trimName(name string) string {
	if len(name) > 0 && name[0] == '/' {
		return name[1:]
	}
	return name
}
