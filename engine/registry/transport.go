package registry

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/http/httpproxy"

	"github.com/dockhost/dockhost/engine"
)

const (
	// maxAnswer is the longest answer of a registry, in bytes: a manifest, an index or
	// an image's configuration.
	maxAnswer = 8 << 20
	// maxLayer bounds the size that a registry may claim for a layer, and the sum of all
	// layers, so that it does not overflow.
	maxLayer = 1 << 50
)

// transport connects to an endpoint as the Engine does. A registry cannot send this
// program to addresses of the host itself, or to its metadata service, unless it is at
// such an address itself.
func transport(endpoint endpoint, info engine.Info) *http.Transport {
	proxy := httpproxy.Config{HTTPProxy: info.HTTPProxy, HTTPSProxy: info.HTTPSProxy, NoProxy: info.NoProxy}
	proxyFor := proxy.ProxyFunc()
	plain := &net.Dialer{Timeout: timeout / 3}
	var isInside atomic.Bool // the registry itself
	outside := &net.Dialer{Timeout: timeout / 3, Control: func(_, address string, _ syscall.RawConn) error {
		if isInside.Load() {
			return nil
		}
		return refuseInside(address)
	}}
	trusted := map[string]bool{endpoint.url.Hostname(): true, hostOf(info.HTTPProxy): true, hostOf(info.HTTPSProxy): true}
	return &http.Transport{
		TLSClientConfig: endpoint.tls, DisableKeepAlives: true, TLSHandshakeTimeout: timeout,
		Proxy: func(r *http.Request) (*url.URL, error) { return proxyFor(r.URL) },
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, err := net.SplitHostPort(address); err == nil && trusted[host] {
				conn, err := plain.DialContext(ctx, network, address)
				if err == nil && host == endpoint.url.Hostname() && refuseInside(conn.RemoteAddr().String()) != nil {
					isInside.Store(true)
				}
				return conn, err
			}
			return outside.DialContext(ctx, network, address)
		},
	}
}

// hostOf returns the host of a proxy, which may be without a scheme.
func hostOf(proxy string) string {
	if at, err := url.Parse(proxy); err == nil && at.Hostname() != "" {
		return at.Hostname()
	}
	if at, err := url.Parse("http://" + proxy); err == nil {
		return at.Hostname()
	}
	return ""
}

// errInside is the error for a redirect to the host itself or its metadata service.
var errInside = fmt.Errorf("%w: it leads to an address of this host or of its metadata service, which it must not", engine.ErrUntrusted)

// refuseInside refuses a connection to a loopback or link-local address.
func refuseInside(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := at.Addr().Unmap(); ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || slices.Contains(metadataServices(), ip.String()) {
		return fmt.Errorf("%w: %s", errInside, ip)
	}
	return nil
}

// metadataServices are those that have no link-local address: EC2's, Oracle's, Scaleway's,
// Google's and Akamai's by IPv6, Alibaba's, and Azure's wire server.
func metadataServices() []string {
	return []string{"fd00:ec2::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fd20:ce::254", "fd00:a9fe:a9fe::1", "100.100.100.200", "168.63.129.16"}
}

// capped limits the length of the answers of a registry.
type capped struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &cappedBody{ReadCloser: response.Body, left: maxAnswer}
	return response, nil
}

// cappedBody fails where the answer is longer than it may be.
type cappedBody struct {
	io.ReadCloser

	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("%w: its answer is longer than %d bytes", engine.ErrUntrusted, maxAnswer)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	return n, err
}
