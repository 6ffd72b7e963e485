package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// Operate starts, stops, restarts or reloads a container: verb is the last part of the
// path. It returns once the container has stopped or reloaded; to wait until one that
// starts is ready, use [Client.Operation].
func (c Client) Operate(ctx context.Context, name, verb string) (answer api.Operated, err error) {
	_, err = c.Change(ctx, http.MethodPost, container(name)+"/"+verb, nil, &answer)
	return answer, err
}

// Operation follows a container that was started or restarted by [Client.Operate], until
// it is ready or has failed since the agent accepted the request. With the verb "" it is
// [Client.Progress].
func (c Client) Operation(ctx context.Context, name, verb string, accepted time.Time, report func(api.Progress)) (api.Progress, error) {
	path := container(name) + "/progress" + sinceQuery(accepted)
	if verb != "" {
		path += "&after=" + verb
	}
	return Follow(ctx, c, path, report)
}

// Pull has the agent pull what the reference of a container names now. It calls report
// for each step except the last one, which it returns. The pull ends with ctx.
func (c Client) Pull(ctx context.Context, name string, report func(api.PullProgress)) (p api.PullProgress, err error) {
	lines, err := c.Ask(ctx, http.MethodPost, container(name)+"/pull", nil)
	if err != nil {
		return p, err
	}
	defer lines.Close()
	for decoder := json.NewDecoder(lines); ; report(p) {
		p = api.PullProgress{}
		switch err := decoder.Decode(&p); {
		case err != nil:
			return p, fmt.Errorf("%w: %w", ErrConnectionLost, err)
		case p.Error != "":
			return p, errors.New(p.Error)
		case p.Last():
			return p, nil
		}
	}
}
