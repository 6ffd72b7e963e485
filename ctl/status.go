package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
)

// answerTimeout bounds the agent's answer: the agent asks systemd and Docker
// first.
const answerTimeout = 30 * time.Second

func (h Host) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show container status",
		Long: `Shows the state of each assigned container, where the assignment comes from,
and all current problems.

Exit status: 0 when all is well, 3 when there is a problem, 4 when the agent
cannot be reached. In that case it shows what systemd and Docker know.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return h.status(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/status.schema.json)")
	return cmd
}

// status prints the status of the host, with or without the agent's help.
func (h Host) status(ctx context.Context, asJSON bool) error {
	s, err := askStatus(ctx, h.Socket)
	if err != nil {
		cause := err
		if s, err = h.StatusWithoutAgent(ctx); err != nil {
			return &exitError{exitUnreachable, errors.Join(cause, err)}
		}
		s.Agent = api.Agent{Error: cause.Error()}
	}
	if asJSON {
		err = printJSON(h.Out, s)
	} else {
		err = printTable(h.Out, s, palette(h.Color), time.Now())
	}
	switch {
	case err != nil:
		return &exitError{exitNotWell, fmt.Errorf("print the status: %w", err)}
	case !s.Agent.Reachable:
		return &exitError{status: exitUnreachable}
	case !s.Well:
		return &exitError{status: exitNotWell}
	}
	return nil
}

func askStatus(ctx context.Context, socket string) (api.Status, error) {
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
