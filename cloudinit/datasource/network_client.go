package datasource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dockhost/dockhost/cloudinit"
)

// session is one conversation with a service at one address.
type session struct {
	*service
	base      string
	client    *http.Client
	transport *http.Transport
	// limit bounds a request with its answer.
	limit time.Duration
	// issued is the token, "" where none is needed or given.
	issued string
}

// session neither follows redirects nor uses a proxy: a metadata service is on
// the host's own link, and never redirects.
func (s *service) session(base string) *session {
	connect := func(ctx context.Context, _, address string) (net.Conn, error) {
		if s.platform.dial != nil {
			return s.platform.dial(ctx, s.network.dial, address)
		}
		return s.network.dial(ctx, 0, address)
	}
	transport := &http.Transport{
		DialContext:            connect,
		DisableCompression:     true,
		MaxConnsPerHost:        1,
		MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &session{service: s, base: base, client: client, transport: transport, limit: s.request}
}

func (s *session) close() { s.transport.CloseIdleConnections() }

// begin gets the token, where the platform has tokens.
func (s *session) begin(ctx context.Context) error {
	t := s.platform.token
	if t == nil {
		return nil
	}
	raw, _, err := s.do(ctx, http.MethodPut, t.path, http.Header{t.ttlHeader: {t.ttl}})
	var status *statusError
	if t.old && errors.As(err, &status) && slices.Contains([]int{403, 404, 405}, status.code) {
		if s.options.IMDSv1 {
			return nil
		}
		return refusal(fmt.Sprintf("it issues no token: %s (turn on IMDSv2 for the instance, or allow IMDSv1 by datasource.imdsv1 in /etc/dockhost/dockhost.yaml)", status))
	}
	if err != nil {
		return err
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return refusal("its answer is not a token")
	}
	s.issued = token
	return nil
}

// get returns the document at a path. It replaces an expired token once.
func (s *session) get(ctx context.Context, path string) ([]byte, error) {
	raw, _, err := s.getWith(ctx, path, nil)
	return raw, err
}

func (s *session) getWith(ctx context.Context, path string, header http.Header) ([]byte, http.Header, error) {
	raw, got, err := s.do(ctx, http.MethodGet, path, header)
	var status *statusError
	if s.issued == "" || !errors.As(err, &status) || status.code != http.StatusUnauthorized && status.code != http.StatusForbidden {
		return raw, got, err
	}
	s.issued = ""
	if err := s.begin(ctx); err != nil {
		return nil, nil, err
	}
	return s.do(ctx, http.MethodGet, path, header)
}

// do makes one request, bounded in time and size.
func (s *session) do(ctx context.Context, method, path string, header http.Header) ([]byte, http.Header, error) {
	bounded, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, method, s.base+path, nil)
	if err != nil {
		return nil, nil, refusal("bad address")
	}
	for name, values := range header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	for name, value := range s.headers {
		request.Header.Set(name, value)
	}
	if s.issued != "" {
		request.Header.Set(s.platform.token.header, s.issued)
	}
	request.Header.Set("User-Agent", "dockhost")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if err := s.check(response); err != nil {
		// Read to its end, so that the connection serves again.
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
		return nil, nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, cloudinit.MaxSize+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > cloudinit.MaxSize {
		return nil, nil, refusal(fmt.Sprintf("its answer to %s is larger than %d MiB", withoutQuery(path), cloudinit.MaxSize>>20))
	}
	return raw, response.Header, nil
}

// check returns an error unless this is a good answer of the service.
func (s *session) check(response *http.Response) error {
	request := response.Request
	if response.StatusCode/100 == 3 {
		to := "nowhere"
		if location, err := response.Location(); err == nil {
			to = location.Scheme + "://" + location.Host
		}
		return refusal(fmt.Sprintf("it redirects %s to %s, which is not followed: this is not the metadata service, or a proxy stands in front of it",
			request.URL.Path, to))
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return &statusError{
			code: response.StatusCode, path: request.URL.Path,
			passes: slices.Contains(s.passing, response.StatusCode),
		}
	}
	for name, value := range s.answers {
		if response.Header.Get(name) != value {
			return refusal(fmt.Sprintf("its answer lacks the header %s: %s, so another server sent it", name, value))
		}
	}
	return nil
}

// statusError is an answer with an unexpected status.
type statusError struct {
	code   int
	path   string
	passes bool
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.code, http.StatusText(e.code))) + " for " + e.path
}

// refusal is a permanent error: waiting does not help.
type refusal string

func (r refusal) Error() string { return string(r) }

// passes reports whether an error is temporary: no network yet, a service
// that is only starting, or that does not know the instance yet (404).
func passes(err error) bool {
	if _, final := errors.AsType[refusal](err); final {
		return false
	}
	status, answered := errors.AsType[*statusError](err)
	if !answered {
		return true
	}
	switch status.code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status.passes || status.code >= 500
}

// reason returns the innermost cause of a failed request in a few words.
func reason(err error) string {
	var errno syscall.Errno
	var name *net.DNSError
	var outer *url.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &name):
		if name.IsTimeout {
			return "no answer from DNS for " + name.Name
		}
		return "DNS does not know " + name.Name
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "no answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.As(err, &outer): // its text quotes the answer
		return "the answer is not HTTP"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// hostOf returns an address without http://, for messages.
func hostOf(base string) string {
	if u, err := url.Parse(base); err == nil {
		return u.Host
	}
	return base
}

func withoutQuery(path string) string {
	before, _, _ := strings.Cut(path, "?")
	return before
}
