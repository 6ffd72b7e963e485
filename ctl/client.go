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

// errUnreachable means that the agent did not answer.
var errUnreachable = errors.New("the agent cannot be reached")

// maxTries bounds how often an agent is asked again that went away before it
// answered, as it does when it is restarted: some seconds in all.
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

// refusal is why the agent did not do what it was asked for, one line for each
// reason.
type refusal struct {
	code     int
	problems []string
}

func (r *refusal) Error() string { return strings.Join(r.problems, "\n") }

// ask sends a request and returns the answer, for the caller to close. The error
// is [errUnreachable] when there is none, and a [refusal] when it says no.
func (c client) ask(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://dockhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
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

// change is ask for what may be asked twice: an agent that goes away before it
// answers, or that is just being stopped, is asked again. again says whether it
// was, and so may have done it the first time.
func (c client) change(ctx context.Context, method, path string, body []byte, answer any) (again bool, err error) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err = c.changeOnce(ctx, method, path, body, answer)
		if !passes(err) || try == maxTries || tries.Wait(ctx) != nil {
			return try > 1, err
		}
	}
}

// passes says whether an error is one of an agent that is just being restarted.
func passes(err error) bool {
	if no := (*refusal)(nil); errors.As(err, &no) {
		return no.code == http.StatusServiceUnavailable
	}
	return errors.Is(err, errUnreachable) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist)
}

func (c client) changeOnce(ctx context.Context, method, path string, body []byte, answer any) error {
	reader, err := c.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer reader.Close()
	if err := json.NewDecoder(reader).Decode(answer); err != nil {
		return fmt.Errorf("%w any more: %w", errUnreachable, err)
	}
	return nil
}

// exitStatus is the exit status after an error.
func exitStatus(err error) int {
	if errors.Is(err, errUnreachable) {
		return exitUnreachable
	}
	return exitFailed
}
