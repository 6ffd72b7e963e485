// Package ctl is dockhostctl's commands and what they print. It asks the agent
// over its local socket, and never changes anything by itself.
package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// The exit statuses of `dockhostctl status`.
const (
	exitWell        = 0
	exitNotWell     = 3
	exitUnreachable = 4
)

// answerTimeout bounds the agent's answer: it asks systemd and Docker first.
const answerTimeout = 30 * time.Second

// StatusOptions say what is asked and how it is shown.
type StatusOptions struct {
	// Socket is the agent's.
	Socket string
	// WithoutAgent gathers what is known when the agent does not answer.
	WithoutAgent func(ctx context.Context) (api.Status, error)
	// JSON asks for the documented JSON instead of a table.
	JSON bool
	// Color marks what is well and what is not.
	Color bool
	Out   io.Writer
}

// Status prints how the host fares and returns the exit status: 0 when all is
// well, 3 when something is not, 4 when the agent cannot be reached.
func Status(ctx context.Context, o StatusOptions) (int, error) {
	s, err := askAgent(ctx, o.Socket)
	if err != nil {
		cause := err
		if s, err = o.WithoutAgent(ctx); err != nil {
			return exitUnreachable, errors.Join(cause, err)
		}
		s.Agent = api.Agent{Error: cause.Error()}
	}
	if err := print(o, s); err != nil {
		return exitNotWell, fmt.Errorf("print the status: %w", err)
	}
	switch {
	case !s.Agent.Reachable:
		return exitUnreachable, nil
	case !s.Well:
		return exitNotWell, nil
	}
	return exitWell, nil
}

func print(o StatusOptions, s api.Status) error {
	if !o.JSON {
		return printTable(o.Out, s, palette(o.Color), time.Now())
	}
	encoder := json.NewEncoder(o.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

func askAgent(ctx context.Context, socket string) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := newClient(socket).ask(ctx, http.MethodGet, "/v1/status", nil)
	if err != nil {
		return api.Status{}, err
	}
	defer answer.Close()
	var s api.Status
	if err := json.NewDecoder(answer).Decode(&s); err != nil {
		return api.Status{}, fmt.Errorf("read the agent's answer: %w", err)
	}
	return s, nil
}
