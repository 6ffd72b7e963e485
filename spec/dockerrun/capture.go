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

// newCommand is docker run itself.
func newCommand(docker command.Cli) *cobra.Command {
	//nolint:staticcheck // deprecated as "do not import": but nobody else knows all flags, and go.mod pins it
	cmd := container.NewRunCommand(docker)
	cmd.Flags().SetOutput(io.Discard)
	return cmd
}

// dockerCLI is what docker run believes to be the docker command. Whatever else
// docker run could ask of it is nil, for it asks nothing else before it creates.
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

// capture is what docker run believes to be the Engine: it notes what it is
// asked to create, and creates nothing.
type capture struct {
	client.APIClient
	host    string
	created *request
}

// request is what the Engine is asked for.
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

// fill puts the request into a container.
func (r *request) fill(made *spec.Container) {
	r.host.ContainerIDFile = made.Run.CIDFile
	r.sort()
	made.Config, made.HostConfig, made.Networking = r.config, r.host, r.networking
}

// loadConfig reads what docker run takes from DIR/config.json: its proxies.
// Its logins are left alone, and a file that is not there, or not this user's
// to read, has none.
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
	// The parser's errors quote what they could not read.
	if len(raw) > 0 && json.Unmarshal(raw, &proxies) != nil {
		const notConfig = "read proxies: %s is not a Docker config.json (check it with: docker --config %s info)"
		return nil, fmt.Errorf(notConfig, path, dir)
	}
	config.Proxies = proxies.Proxies
	return config, nil
}
