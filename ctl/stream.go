package ctl

import (
	"context"
	"net/url"
	"time"

	agentclient "github.com/dockhost/dockhost/client"
)

// await calls report for each progress message, and returns the last one. It connects
// again when the agent restarts.
func await[M agentclient.Message](ctx context.Context, c client, path string, report func(M)) (M, error) {
	return agentclient.Follow(ctx, c.Client, path, report)
}

func containerPath(name string) string { return "/v1/containers/" + url.PathEscape(name) }

// since returns the query for what happened after the agent accepted a request.
func since(accepted time.Time) string {
	return "?since=" + url.QueryEscape(accepted.Format(time.RFC3339Nano))
}
