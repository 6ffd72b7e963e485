// Package engine is the client of Docker Engine: pull with progress, create, attach,
// start, wait, stop, inspect, remove. No other package imports the Docker client.
// Every call has a deadline. Callers test errors for this package's kinds, such as
// [ErrNotFound]. It knows nothing of systemd, user data or GPUs.
package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
)

// callTimeout bounds a call that does not wait for a container or an image. It leaves
// room for the creation of a container, which copies the image's volumes.
const callTimeout = 2 * time.Minute

// Client talks to one Engine. It is safe for concurrent use.
type Client struct {
	// current has the version of the API that was negotiated. Another client takes its
	// place once the Engine has refused that.
	current     atomic.Pointer[client.Client]
	negotiation negotiation
	known       known
	logins      []LoginFile
	credentials []string
	// metadata is the URL of Google Cloud's metadata server.
	metadata string
}

// New returns a client and does not connect. The first call negotiates the API
// version, so that the client works with Docker 20.10 to 29, also while Docker is
// upgraded.
func New(o Options) (*Client, error) {
	opts, err := o.client()
	if err != nil {
		return nil, err
	}
	c := &Client{logins: o.Logins, credentials: o.Credentials, metadata: googleMetadata}
	if o.Access.APIVersion == "" {
		opts = append(opts, c.negotiation.use)
	}
	begin := func() error {
		next, err := client.NewClientWithOpts(opts...)
		if err == nil {
			c.current.Store(next)
		}
		return err
	}
	c.negotiation.again = begin
	if err := begin(); err != nil {
		return nil, fmt.Errorf("use Docker at %q: %w", o.Host, err)
	}
	return c, nil
}

// api returns the client of Docker's API to call.
func (c *Client) api() *client.Client { return c.current.Load() }

// Close closes idle connections.
func (c *Client) Close() error {
	c.CloseIdle()
	return nil
}

// CloseIdle closes idle connections. Otherwise their timeout of half a minute would
// wake the process up.
func (c *Client) CloseIdle() {
	_ = c.api().Close() // it closes idle connections only, and never fails
	c.negotiation.closeIdle()
}

// Host returns the Engine's address.
func (c *Client) Host() string {
	return c.api().DaemonHost()
}

// Ping checks whether the Engine answers. The error is [ErrUnreachable] if it does
// not.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	api := c.api()
	ping, err := api.Ping(ctx)
	if err != nil {
		return translate(err)
	}
	// Otherwise the next call would ping again to learn the version.
	api.NegotiateAPIVersionPing(ping)
	return nil
}
