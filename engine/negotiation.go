package engine

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/docker/docker/api"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// negotiation is the transport of a client that has negotiated the version of the API. An
// Engine may be replaced by another release while the client lives. It may refuse that
// version, and then names its own: the request is sent again with a version that both
// speak.
type negotiation struct {
	// transport is nil if the Engine has TLS or the version is given.
	transport *http.Transport
	// again begins with a client that has not negotiated yet.
	again func() error
}

// maxRefusal bounds what is read of an answer to find out whether it refuses the version.
const maxRefusal = 4 << 10

var (
	// refusal matches the Engine's error (moby: api/server/middleware/version.go).
	refusal = regexp.MustCompile(`client version [0-9.]+ is too (old|new)`)
	// versionOf matches the version in the path of a request.
	versionOf = regexp.MustCompile(`^/v([0-9.]+)/`)
)

// use is an option for a client of an Engine without TLS. The client looks into its own
// transport for how to dial, so that stays, and passes the requests on.
func (n *negotiation) use(c *client.Client) error {
	outer, ok := c.HTTPClient().Transport.(*http.Transport)
	if !ok || outer.TLSClientConfig != nil {
		return nil
	}
	if n.transport == nil {
		n.transport = outer.Clone()
	}
	outer.RegisterProtocol("http", n)
	return nil
}

// RoundTrip implements [http.RoundTripper].
func (n *negotiation) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.transport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusBadRequest || !refuses(resp) {
		return resp, err
	}
	if err := n.again(); err != nil {
		return resp, nil //nolint:nilerr // it was made with these options before
	}
	again := withVersion(req, resp.Header.Get("Api-Version"))
	if again == nil {
		return resp, nil
	}
	_ = resp.Body.Close()
	return n.transport.RoundTrip(again)
}

func (n *negotiation) closeIdle() {
	if n.transport != nil {
		n.transport.CloseIdleConnections()
	}
}

// refuses reports whether an answer refuses the version of its request. It can still be
// read from its beginning.
func refuses(resp *http.Response) bool {
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // the next reader gets the error
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begin), resp.Body), resp.Body}
	return refusal.Match(begin)
}

// withVersion returns a request with the newest version that this client and an Engine
// speak; nil if that was sent, or the request cannot be sent twice.
func withVersion(req *http.Request, newest string) *http.Request {
	if newest == "" || versions.GreaterThan(newest, api.DefaultVersion) {
		newest = api.DefaultVersion
	}
	match := versionOf.FindStringSubmatch(req.URL.Path)
	if match == nil || match[1] == newest || req.Body != nil && req.GetBody == nil {
		return nil
	}
	again := req.Clone(req.Context())
	again.URL.Path = "/v" + newest + strings.TrimPrefix(req.URL.Path, "/v"+match[1])
	if req.URL.RawPath != "" {
		again.URL.RawPath = "/v" + newest + strings.TrimPrefix(req.URL.RawPath, "/v"+match[1])
	}
	if req.GetBody != nil {
		var err error
		if again.Body, err = req.GetBody(); err != nil {
			return nil
		}
	}
	return again
}
