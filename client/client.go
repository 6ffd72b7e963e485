// Package client speaks to the agent of this host over its socket. Its methods are the
// requests of docs/openapi.json, and its types are those of package agent/api. dockhostctl
// uses it, too. It prints nothing.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
)

// Socket is the path of the agent's socket.
const Socket = "/run/dockhost/agent.sock"

var (
	// ErrUnreachable means that the agent did not answer.
	ErrUnreachable = errors.New("the agent cannot be reached")
	// ErrConnectionLost means that the agent stopped answering halfway.
	ErrConnectionLost = fmt.Errorf("%w: lost connection", ErrUnreachable)
	// ErrNoAccess means that this user may not connect to the agent, which may well run.
	ErrNoAccess = errors.New("no access to the agent")
)

const (
	// maxTries bounds how often a request is repeated when the agent goes away
	// before it answers, as during a restart. All tries take a few seconds.
	maxTries = 6
	// maxAnswer bounds an answer that is read as a whole, in bytes.
	maxAnswer = 64 << 20
)

// Client speaks to the agent.
type Client struct {
	socket string
	http   *http.Client
}

// New returns a client of the agent's socket at a path. It connects for each request.
func New(socket string) Client {
	var dialer net.Dialer
	return Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}}
}

// Refusal is the agent's answer when it does not do what it was asked for.
type Refusal struct {
	// Code is the HTTP status.
	Code int
	// Problems are the reasons, one line each.
	Problems []string
}

// Error implements error.
func (r *Refusal) Error() string { return strings.Join(r.Problems, "\n") }

// Ask sends a request and returns the body of the answer; the caller closes it.
// The error is [ErrUnreachable] when no answer came, and a [Refusal] when the
// agent refused.
func (c Client) Ask(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://dockhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w at %s: only root and members of the group docker may use it (use sudo, or run: sudo usermod -aG docker \"$USER\", and log in again)", ErrNoAccess, c.socket)
	}
	if err != nil {
		return nil, fmt.Errorf("%w at %s (see: systemctl status dockhost): %w", ErrUnreachable, c.socket, errors.Unwrap(err))
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	var answer api.Refusal
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil || len(answer.Problems) == 0 {
		answer.Problems = []string{fmt.Sprintf("the agent at %s answered %s", c.socket, response.Status)}
	}
	return nil, &Refusal{Code: response.StatusCode, Problems: answer.Problems}
}

// Change sends a request that is safe to repeat, and decodes the answer. It
// tries again while the agent restarts. repeated reports whether it did; an
// earlier try may then have made the change already.
func (c Client) Change(ctx context.Context, method, path string, body []byte, answer any) (repeated bool, err error) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err = c.Once(ctx, method, path, body, answer)
		if !IsRestart(err) || try == maxTries || tries.Wait(ctx) != nil {
			return try > 1, err
		}
	}
}

// Once sends a request one time, and decodes the answer.
func (c Client) Once(ctx context.Context, method, path string, body []byte, answer any) error {
	reader, err := c.Ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := json.NewDecoder(io.LimitReader(reader, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
	return nil
}

// IsRestart reports whether an error is one that an agent causes while it
// restarts.
func IsRestart(err error) bool {
	if refused := (*Refusal)(nil); errors.As(err, &refused) {
		return refused.Code == http.StatusServiceUnavailable
	}
	return errors.Is(err, ErrUnreachable) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist)
}
