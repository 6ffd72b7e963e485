package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// Status returns the status of the host.
func (c Client) Status(ctx context.Context) (s api.Status, err error) {
	err = c.Once(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// AwaitStatus is [Client.Status], which asks again while the agent restarts.
func (c Client) AwaitStatus(ctx context.Context) (s api.Status, err error) {
	_, err = c.Change(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// UserData describes the user data; with fetch, after the agent has fetched it again.
func (c Client) UserData(ctx context.Context, fetch bool) (u api.UserData, err error) {
	method, path := http.MethodGet, "/v1/userdata"
	if fetch {
		method, path = http.MethodPost, "/v1/userdata/fetch"
	}
	_, err = c.Change(ctx, method, path, nil, &u)
	return u, err
}

// RawUserData returns the user data itself, for root alone. The caller closes it.
func (c Client) RawUserData(ctx context.Context) (io.ReadCloser, error) {
	return c.Ask(ctx, http.MethodGet, "/v1/userdata/raw", nil)
}

// Declare declares a container: declaration is its JSON, as dockhostctl run makes it.
func (c Client) Declare(ctx context.Context, name string, declaration []byte) (a api.Accepted, err error) {
	_, err = c.Change(ctx, http.MethodPut, container(name), declaration, &a)
	return a, err
}

// Remove stops a container that was declared so, and forgets it; with volumes, also the
// volumes that dockhost made for it. repeated is as in [Client.Change].
func (c Client) Remove(ctx context.Context, name string, volumes bool) (repeated bool, err error) {
	path := container(name)
	if volumes {
		path += "?volumes=true"
	}
	return c.Change(ctx, http.MethodDelete, path, nil, &api.Nothing{})
}

// Progress calls report for each step of a container since it was accepted, except for
// the last one, which it returns.
func (c Client) Progress(ctx context.Context, name string, since time.Time, report func(api.Progress)) (api.Progress, error) {
	return c.Operation(ctx, name, "", since, report)
}

// Update asks for an update of a container.
func (c Client) Update(ctx context.Context, name string, request api.UpdateRequest) (api.UpdateStarted, error) {
	return c.start(ctx, container(name)+"/update", request)
}

// Rollback asks for the revision before the one that runs.
func (c Client) Rollback(ctx context.Context, name string, request api.UpdateRequest) (api.UpdateStarted, error) {
	return c.start(ctx, container(name)+"/rollback", request)
}

func (c Client) start(ctx context.Context, path string, request api.UpdateRequest) (started api.UpdateStarted, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return started, err
	}
	_, err = c.Change(ctx, http.MethodPost, path, body, &started)
	return started, err
}

// UpdateProgress calls report for each step of an update or a rollback since it was
// accepted, except for the last one, which it returns.
func (c Client) UpdateProgress(ctx context.Context, name string, since time.Time, report func(api.UpdateProgress)) (api.UpdateProgress, error) {
	return Follow(ctx, c, container(name)+"/update"+sinceQuery(since), report)
}

// History returns the updates of a container, or of all for "", that have ended, the
// newest first.
func (c Client) History(ctx context.Context, name string) ([]api.HistoryEntry, error) {
	path := "/v1/history"
	if name != "" {
		path += "?name=" + url.QueryEscape(name)
	}
	entries := []api.HistoryEntry{}
	_, err := c.Change(ctx, http.MethodGet, path, nil, &entries)
	return entries, err
}

// Hold holds a container as it is.
func (c Client) Hold(ctx context.Context, name string, request api.HoldRequest) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	_, err = c.Change(ctx, http.MethodPut, container(name)+"/hold", body, &api.Nothing{})
	return err
}

// Unhold ends a hold.
func (c Client) Unhold(ctx context.Context, name string) error {
	_, err := c.Change(ctx, http.MethodDelete, container(name)+"/hold", nil, &api.Nothing{})
	return err
}

// GC returns what a run of housekeeping would do, or runs it.
func (c Client) GC(ctx context.Context, run bool) (gc api.GC, err error) {
	method := http.MethodGet
	if run {
		method = http.MethodPost
	}
	_, err = c.Change(ctx, method, "/v1/gc", nil, &gc)
	return gc, err
}

func container(name string) string { return "/v1/containers/" + url.PathEscape(name) }

// sinceQuery is the query for what happened after the agent accepted a request.
func sinceQuery(accepted time.Time) string {
	return "?since=" + url.QueryEscape(accepted.Format(time.RFC3339Nano))
}

// Metrics returns the metrics, as Prometheus reads them. The caller closes it.
func (c Client) Metrics(ctx context.Context) (io.ReadCloser, error) {
	return c.Ask(ctx, http.MethodGet, "/metrics", nil)
}
