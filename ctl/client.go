package ctl

import (
	"context"
	"io"

	agentclient "github.com/dockhost/dockhost/client"
)

// errUnreachable means that the agent did not answer.
var errUnreachable = agentclient.ErrUnreachable

// refusal is the agent's answer when it does not do what it was asked for.
type refusal = agentclient.Refusal

// client speaks to the agent over its socket.
type client struct{ agentclient.Client }

func newClient(socket string) client { return client{agentclient.New(socket)} }

// ask sends a request and returns the body of the answer; the caller closes it.
func (c client) ask(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	return c.Ask(ctx, method, path, body)
}

// change sends a request that is safe to repeat, and decodes the answer.
func (c client) change(ctx context.Context, method, path string, body []byte, answer any) (repeated bool, err error) {
	return c.Change(ctx, method, path, body, answer)
}
