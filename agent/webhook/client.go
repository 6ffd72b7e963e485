package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

// poster makes one request.
type poster func(ctx context.Context, target Target, event Event) error

// client makes requests.
type client struct{ http *http.Client }

// newClient returns a client that uses the proxy that the environment names, and the
// certificates of the host. It keeps no connection, and follows no redirect: another
// receiver would get the event.
func newClient() client {
	return client{&http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// failure is a request that did not succeed.
type failure struct {
	error
	// passes says that the same request may succeed later; after is when, 0 if that is
	// unknown.
	passes bool
	after  time.Duration
}

func (f failure) Unwrap() error { return f.error }

// pauseAfter returns how long to wait after an error, and whether to try again at all.
func pauseAfter(err error, usual time.Duration) (time.Duration, bool) {
	failed, ok := errors.AsType[failure](err)
	return max(usual, min(failed.after, longestRetryAfter)), ok && failed.passes
}

func (c client) post(ctx context.Context, target Target, event Event) error {
	where, err := address(target.URL)
	if err != nil {
		return err
	}
	secret, err := readSecret(target.SecretFile)
	if err != nil {
		return err
	}
	body, err := event.body(time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(body))
	if err != nil {
		return errAddress
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "dockhost")
	request.Header.Set(signatureHeader, Sign(secret, body))
	response, err := c.http.Do(request)
	if err != nil {
		return failure{error: fmt.Errorf("send to %s: %w", where, reason(ctx, err)), passes: true}
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	return judge(where, response)
}

// errAddress names no part of the address: it may contain a token.
var errAddress = errors.New("the address of the webhook is not https://HOST/PATH (correct update.webhook.url)")

// address returns the host of an https address, for messages.
func address(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", errAddress
	}
	return u.Host, nil
}

// reason returns why a request has no answer, without the address.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}

// judge returns nil for an answer of success.
func judge(where string, response *http.Response) error {
	status := response.StatusCode
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 3:
		return fmt.Errorf("%s answers %s, and redirects are not followed (correct update.webhook.url)", where, text)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status/100 == 5:
		return failure{fmt.Errorf("%s answers %s", where, text), true, backoff.RetryAfter(response.Header, time.Now())}
	}
	return fmt.Errorf("%s answers %s (check the address and the secret on both sides)", where, text)
}
