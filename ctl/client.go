package ctl

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

var (
	// errUnreachable means that the agent did not answer.
	errUnreachable = errors.New("the agent cannot be reached")
	// errConnectionLost means that the agent stopped answering halfway.
	errConnectionLost = fmt.Errorf("%w: lost connection", errUnreachable)
	// errNoAccess means that this user may not connect to the agent, which may well run.
	errNoAccess = errors.New("no access to the agent")
)

// maxTries bounds how often a request is repeated when the agent goes away
// before it answers, as during a restart. All tries take a few seconds.
const maxTries = 6

// client speaks to the agent over its socket.
type client struct {
	socket string
	http   *http.Client
}

func newClient(socket string) client {
	var dialer net.Dialer
	return client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}}
}

// refusal is the agent's answer when it does not do what it was asked for.
type refusal struct {
	// code is the HTTP status.
	code int
	// problems are the reasons, one line each.
	problems []string
}

func (r *refusal) Error() string { return strings.Join(r.problems, "\n") }

// ask sends a request and returns the body of the answer; the caller closes it.
// The error is [errUnreachable] when no answer came, and a [refusal] when the
// agent refused.
func (c client) ask(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://dockhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w at %s: only root and members of the group docker may use it (use sudo, or run: sudo usermod -aG docker \"$USER\", and log in again)", errNoAccess, c.socket)
	}
	if err != nil {
		return nil, fmt.Errorf("%w at %s (see: systemctl status dockhost): %w", errUnreachable, c.socket, errors.Unwrap(err))
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	var answer api.Refusal
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Problems) == 0 {
		answer.Problems = []string{fmt.Sprintf("the agent at %s answered %s", c.socket, response.Status)}
	}
	return nil, &refusal{code: response.StatusCode, problems: answer.Problems}
}

// change sends a request that is safe to repeat, and decodes the answer. It
// tries again while the agent restarts. repeated reports whether it did; an
// earlier try may then have made the change already.
func (c client) change(ctx context.Context, method, path string, body []byte, answer any) (repeated bool, err error) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err = c.changeOnce(ctx, method, path, body, answer)
		if !isRestart(err) || try == maxTries || tries.Wait(ctx) != nil {
			return try > 1, err
		}
	}
}

func (c client) changeOnce(ctx context.Context, method, path string, body []byte, answer any) error {
	reader, err := c.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := json.NewDecoder(reader).Decode(answer); err != nil {
		return fmt.Errorf("%w: %w", errConnectionLost, err)
	}
	return nil
}

// isRestart reports whether an error is one that an agent causes while it
// restarts.
func isRestart(err error) bool {
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		return refused.code == http.StatusServiceUnavailable
	}
	return errors.Is(err, errUnreachable) && !errors.Is(err, fs.ErrNotExist)
}
