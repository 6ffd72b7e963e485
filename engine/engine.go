// Package engine is the Docker Engine as this project uses it: pull with
// progress, create, attach, start, wait, stop, inspect, remove. It is the only
// package that imports the Docker client. Every call has a deadline, and every
// error is one of this package's, or wraps one. It knows nothing of systemd,
// user data or GPUs.
package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/client"
)

// callTimeout bounds a call that does not wait for a container or an image.
// Creating a container copies the image's volumes, which takes a while on a
// slow disk.
const callTimeout = 2 * time.Minute

// Client talks to one Engine. It is safe for concurrent use.
type Client struct {
	api         *client.Client
	logins      []LoginFile
	credentials []string
	// metadata is the URL of Google's metadata server.
	metadata string
}

// New returns a client. It does not connect: the API version is negotiated by
// the first call, so that Docker 20.10 to 29 are all spoken to.
func New(o Options) (*Client, error) {
	opts := []client.Opt{client.WithAPIVersionNegotiation()}
	if o.Host != "" {
		opts = append(opts, client.WithHost(o.Host))
	}
	api, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("use Docker at %q: %w", o.Host, err)
	}
	return &Client{api: api, logins: o.Logins, credentials: o.Credentials, metadata: googleMetadata}, nil
}

// Close gives idle connections back.
func (c *Client) Close() error {
	return c.api.Close()
}

// CloseIdle closes the connections that nothing uses, which otherwise wake the
// process up when they have been idle for half a minute.
func (c *Client) CloseIdle() {
	_ = c.api.Close() // which does just that, and has no error
}

// Host is the address that the client talks to.
func (c *Client) Host() string {
	return c.api.DaemonHost()
}

// Ping asks whether the Engine answers. The error is [ErrUnreachable] when it
// does not.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ping, err := c.api.Ping(ctx)
	if err != nil {
		return translate(err)
	}
	// Or the next call would ping once more to learn the version.
	c.api.NegotiateAPIVersionPing(ping)
	return nil
}
