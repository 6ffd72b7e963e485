package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/registry"
	"github.com/dockhost/dockhost/internal/netns"
	"github.com/dockhost/dockhost/setup"
)

// diagnose makes checks of this host. status returns the status of its containers.
func diagnose(ctx context.Context, status func(context.Context) (api.Status, error), checks []doctor.Check) (doctor.Report, error) {
	docker, err := newEngine()
	if err != nil {
		return doctor.Report{}, err
	}
	defer docker.Close()
	return doctor.Run(ctx, doctorHost(docker, status), checks), nil
}

// doctorHost is this host as the checks see it.
func doctorHost(docker *engine.Client, status func(context.Context) (api.Status, error)) doctor.Host {
	return doctor.Host{
		Engine:     docker,
		Runtime:    libexec("dockhost-runtime"),
		Status:     status,
		Command:    doctor.Command,
		Space:      doctor.Measure,
		Digest:     registry.Registries{Engine: docker}.Digest,
		Get:        doctor.Get,
		Metadata:   doctor.MetadataFrom("", dialWithin),
		GPUs:       gpuReport,
		DaemonJSON: func(ctx context.Context) error { return setup.Inspect(ctx, "") },
		User:       os.Geteuid(),
		Now:        time.Now(),
	}
}

// dialWithin connects to an address within the network of a process. The host's DNS
// knows the names of metadata services.
func dialWithin(ctx context.Context, pid int, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(addresses[0], port))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return netns.Dial(ctx, pid, at)
}
