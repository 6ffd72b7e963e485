package dockerrun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/command/container"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/streams"
	"github.com/docker/docker/api"
	containertypes "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/spec"
)

// newCommand returns docker/cli's command docker run.
func newCommand(docker command.Cli) *cobra.Command {
	//nolint:staticcheck // deprecated as "do not import", but only this knows all flags, and go.mod pins it
	cmd := container.NewRunCommand(docker)
	cmd.Flags().SetOutput(io.Discard)
	return cmd
}

// dockerCLI stands in for the docker command. The embedded interface is nil:
// docker run calls only the methods below before it creates the container.
type dockerCLI struct {
	command.Cli
	engine *capture
	config *configfile.ConfigFile
}

func (d *dockerCLI) Client() client.APIClient           { return d.engine }
func (d *dockerCLI) ConfigFile() *configfile.ConfigFile { return d.config }
func (d *dockerCLI) ServerInfo() command.ServerInfo     { return command.ServerInfo{OSType: "linux"} }

func (d *dockerCLI) In() *streams.In   { return streams.NewIn(io.NopCloser(bytes.NewReader(nil))) }
func (d *dockerCLI) Out() *streams.Out { return streams.NewOut(io.Discard) }
func (d *dockerCLI) Err() *streams.Out { return streams.NewOut(io.Discard) }

// capture stands in for Docker's API. It records the request to create a
// container, and creates nothing. The embedded interface is nil.
type capture struct {
	client.APIClient
	host    string
	created *request
}

// request is the request to create a container.
type request struct {
	config     *containertypes.Config
	host       *containertypes.HostConfig
	networking *network.NetworkingConfig
}

func newCapture(host string) *capture {
	if host == "" {
		host = client.DefaultDockerHost
	}
	return &capture{host: host}
}

func (c *capture) DaemonHost() string    { return c.host }
func (c *capture) ClientVersion() string { return api.DefaultVersion }

var errCaptured = errors.New("the request was captured")

func (c *capture) ContainerCreate(_ context.Context, config *containertypes.Config, host *containertypes.HostConfig,
	networking *network.NetworkingConfig, _ *ocispec.Platform, _ string,
) (containertypes.CreateResponse, error) {
	c.created = &request{config: config, host: host, networking: networking}
	return containertypes.CreateResponse{}, errCaptured
}

// fill copies the request into a container.
func (r *request) fill(c *spec.Container) {
	r.host.ContainerIDFile = c.Run.CIDFile
	r.sort()
	c.Config, c.HostConfig, c.Networking = r.config, r.host, r.networking
}

// loadConfig reads the proxies in DIR/config.json. It ignores logins. A missing
// file, or one that this user may not read, is the same as an empty one.
func loadConfig(dir string) (*configfile.ConfigFile, error) {
	config := &configfile.ConfigFile{}
	if dir == "" {
		return config, nil
	}
	path := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return config, nil
	case err != nil:
		return nil, fmt.Errorf("read proxies: %w", err)
	}
	proxies := struct {
		Proxies map[string]configfile.ProxyConfig `json:"proxies"`
	}{}
	// The JSON parser's errors may quote secrets.
	if len(raw) > 0 && json.Unmarshal(raw, &proxies) != nil {
		const notConfig = "read proxies: %s is not a Docker config.json (check it with: docker --config %s info)"
		return nil, fmt.Errorf(notConfig, path, dir)
	}
	config.Proxies = proxies.Proxies
	return config, nil
}
