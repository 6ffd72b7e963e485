package datasource

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Connect opens a TCP connection to a metadata service. It replaces the host's own
// way, for instance by that of a container.
type Connect func(ctx context.Context, address string) (net.Conn, error)

// Probe sends the metadata service of this host one request for its meta-data, with
// a token if the service issues tokens, and returns the address that has answered.
// Without names, the host's marks say which service that is. The error is
// [ErrNotFound] if this host has no metadata service. connect may be nil.
func Probe(ctx context.Context, o Options, connect Connect) (string, error) {
	h := newHost(o.Root)
	chosen, err := choose(h, o.Names)
	if err != nil {
		return "", err
	}
	for _, k := range chosen {
		if k.local {
			continue
		}
		for _, p := range platforms() {
			if p.name == k.name {
				return p.probe(ctx, o, h, connect)
			}
		}
	}
	return "", ErrNotFound
}

func (p platform) probe(ctx context.Context, o Options, h *host, connect Connect) (string, error) {
	n := realNetwork()
	if connect != nil {
		n.dial = func(ctx context.Context, _ int, address string) (net.Conn, error) { return connect(ctx, address) }
	}
	s := &service{platform: p, network: n, options: o, host: h}
	bases, err := s.bases(ctx)
	if err != nil {
		return "", fmt.Errorf("metadata service of %s: %w", p.title, err)
	}
	var first error
	for _, base := range bases {
		err := s.probe(ctx, base)
		if err == nil {
			return hostOf(base), nil
		}
		if first == nil {
			first = fmt.Errorf("metadata service of %s at %s: %s", p.title, hostOf(base), reason(err))
		}
	}
	if first == nil {
		first = errors.New("no network interface leads to the metadata service of " + p.title)
	}
	return "", first
}

func (s *service) probe(ctx context.Context, base string) error {
	session := s.session(base)
	defer session.close()
	if err := session.begin(ctx); err != nil {
		return err
	}
	_, err := session.get(ctx, s.meta.path)
	return err
}
