package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/doctor"
	"github.com/dockhost/dockhost/doctor/bugreport"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/registry"
	"github.com/dockhost/dockhost/internal/netns"
	"github.com/dockhost/dockhost/internal/regular"
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

// reportBug gathers a report about this host.
func reportBug(ctx context.Context, status func(context.Context) (api.Status, error)) (bugreport.Report, error) {
	docker, err := newEngine()
	if err != nil {
		return bugreport.Report{}, err
	}
	defer docker.Close()
	return bugreport.Gather(ctx, bugreport.Options{
		Host: doctorHost(docker, status), Engine: docker, Version: versionText(), Secrets: knownSecrets(),
	})
}

// knownSecrets returns the secrets that root can read: those of declarations, and logins.
func knownSecrets() []string {
	var secrets []string
	paths, _ := filepath.Glob(string(runDir) + "/files/*/*")
	for _, path := range paths {
		if raw, err := regular.Follow(path, regular.State); err == nil {
			secrets = append(secrets, string(raw), strings.TrimSpace(string(raw)))
		}
	}
	paths, _ = filepath.Glob(string(runDir) + "/containers/*.json")
	for _, path := range append(paths, filepath.Join(runDir.LoginsDir(), "config.json"), filepath.Join(engine.ConfigDir(os.Getenv), "config.json")) {
		if raw, err := regular.Follow(path, regular.State); err == nil {
			secrets = append(secrets, bugreport.SecretsIn(raw)...)
		}
	}
	return secrets
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
	return netns.Dial(ctx, pid, func() bool { return true }, at)
}
