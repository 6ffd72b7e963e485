package datasource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	fetchTimeout = 10 * time.Second
	fetchFirst   = time.Second
	fetchLongest = 30 * time.Second
)

// includeTimeout bounds the tries for one include. At boot the network may still
// be coming up.
const includeTimeout = 2 * time.Minute

// Include fetches user data for an #include.
func Include(ctx context.Context, o Options, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, includeTimeout)
	defer cancel()
	return fetch(ctx, o, address)
}

// fetch gets a URL that the host's own marks name: without a proxy and without
// following a redirect, again and again until it gets an answer or ctx ends.
func fetch(ctx context.Context, o Options, from string) ([]byte, error) {
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true, ResponseHeaderTimeout: fetchTimeout}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		Timeout:       6 * fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	wait := backoff.Backoff{Next: fetchFirst, Cap: fetchLongest}
	o.asking()
	for {
		raw, again, err := fetchOnce(ctx, client, from)
		if err == nil || !again || ctx.Err() != nil {
			o.waiting("")
			return raw, err
		}
		o.waiting(err.Error())
		if wait.Wait(ctx) != nil {
			return nil, err
		}
	}
}

// fetchOnce also reports whether another try may succeed.
func fetchOnce(ctx context.Context, client *http.Client, from string) (raw []byte, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, false, errors.New("this is not a URL")
	}
	name := withoutLogin(from)
	response, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok { // whose text has the whole URL
			err = failed.Err
		}
		return nil, true, fmt.Errorf("get %s: %w", name, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch code := response.StatusCode; {
	case code == http.StatusOK:
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		return nil, true, fmt.Errorf("get %s: %s", name, response.Status)
	case code >= http.StatusMultipleChoices && code < http.StatusBadRequest:
		return nil, false, fmt.Errorf("get %s: %s: redirects are not followed (name the place itself)", name, response.Status)
	default:
		return nil, false, fmt.Errorf("get %s: %s", name, response.Status)
	}
	raw, err = readCapped(response.Body)
	if err != nil {
		return nil, false, fmt.Errorf("get %s: %w", name, err)
	}
	return raw, false, nil
}

// withoutLogin returns a URL without what may be a secret in it: the user and
// password, the query and the fragment.
func withoutLogin(from string) string {
	u, err := url.Parse(from)
	if err != nil {
		return "a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
