package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/engine"
)

const (
	// hub is the domain of images without one, and hubHost the host that has them.
	hub, hubHost = "docker.io", "registry-1.docker.io"
	// certsDir has the certificates of each registry, in a directory with its host and
	// port: https://docs.docker.com/engine/security/certificates/.
	certsDir = "/etc/docker/certs.d"
)

// endpoint is one address where an image may be.
type endpoint struct {
	url *url.URL
	tls *tls.Config
	// mirror says that it is a mirror of Docker Hub.
	mirror bool
}

// endpoints returns where the Engine looks for an image of a domain, in its order: the
// mirrors, then the registry, by https and, if it is insecure, by http. certs is
// [certsDir].
func endpoints(ctx context.Context, domain string, info engine.Info, certs string) ([]endpoint, error) {
	if domain != hub {
		registry, err := newEndpoint(ctx, url.URL{Scheme: "https", Host: domain}, info, certs)
		if err != nil || !registry.tls.InsecureSkipVerify {
			return []endpoint{registry}, err
		}
		plain := registry
		plain.url = &url.URL{Scheme: "http", Host: domain}
		return []endpoint{registry, plain}, nil
	}
	var all []endpoint
	for _, mirror := range info.Mirrors {
		at, err := url.Parse(mirror)
		if err != nil {
			return nil, fmt.Errorf("read the mirror of Docker Hub: %w", err)
		}
		e, err := newEndpoint(ctx, *at, info, certs)
		if err != nil {
			return nil, err
		}
		e.mirror = true
		all = append(all, e)
	}
	return append(all, endpoint{url: &url.URL{Scheme: "https", Host: hubHost}, tls: &tls.Config{MinVersion: tls.VersionTLS12}}), nil
}

// newEndpoint returns the endpoint at an address, with the TLS that the Engine uses for
// it.
func newEndpoint(ctx context.Context, at url.URL, info engine.Info, certs string) (endpoint, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if isInsecure(ctx, at.Host, info.InsecureRegistries) {
		config.InsecureSkipVerify = true
		return endpoint{url: &at, tls: config}, nil
	}
	if err := addCertificates(config, filepath.Join(certs, at.Host)); err != nil {
		return endpoint{}, fmt.Errorf("read the certificates for %s: %w", at.Host, err)
	}
	return endpoint{url: &at, tls: config}, nil
}

// addCertificates adds the certificates of a registry's directory: authorities in
// *.crt, and the client's own in *.cert with *.key.
func addCertificates(config *tls.Config, dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		bare, isClient := strings.CutSuffix(path, ".cert")
		switch {
		case isClient:
			pair, err := tls.LoadX509KeyPair(path, bare+".key")
			if err != nil {
				return err
			}
			config.Certificates = append(config.Certificates, pair)
		case strings.HasSuffix(path, ".crt"):
			if config.RootCAs == nil {
				if config.RootCAs, err = x509.SystemCertPool(); err != nil {
					return err
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			config.RootCAs.AppendCertsFromPEM(text)
		}
	}
	return err
}

// isInsecure says whether the Engine accepts any certificate of a host, and plain http.
// insecure has hosts with or without a port, and networks. Loopback addresses are
// always insecure.
func isInsecure(ctx context.Context, host string, insecure []string) bool {
	if slices.Contains(insecure, host) {
		return true
	}
	networks := []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.0/8")}
	for _, entry := range insecure {
		if network, err := netip.ParsePrefix(entry); err == nil {
			networks = append(networks, network)
		}
	}
	name := (&url.URL{Host: host}).Hostname()
	addresses := []netip.Addr{}
	if address, err := netip.ParseAddr(name); err == nil {
		addresses = append(addresses, address)
	} else {
		// An unknown name is in no network.
		addresses, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return slices.ContainsFunc(addresses, func(a netip.Addr) bool {
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
	})
}
