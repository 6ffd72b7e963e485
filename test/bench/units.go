package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The units of the benchmark, each named like its container.
const (
	runUnit           = "bench-run"
	quadletUnit       = "bench-quadlet"
	clientUnit        = "bench-client"
	clientCheckedUnit = "bench-client-checked"
	linesRunUnit      = "bench-lines-run"
	linesClientUnit   = "bench-lines-client"
)

// noCheck turns off the image's health check, which would disturb the measurements.
const noCheck = "--no-healthcheck "

// runService is a typical unit for `dockhost run`. Its arguments are the container's name, its arguments, and more
// settings.
const runService = `[Unit]
Description=dockhost run of %[1]s
StartLimitIntervalSec=0
[Service]
Type=notify
Delegate=yes
KillMode=mixed
Restart=always
RestartSec=0
ExecStart=/usr/bin/dockhost run --rm --name %[1]s %[2]s
%[3]s`

// clientService is a typical unit for `docker run`, with the same arguments.
const clientService = `[Unit]
Description=docker run of %[1]s
[Service]
ExecStart=/usr/bin/docker run --rm --name %[1]s %[2]s
ExecStop=/usr/bin/docker stop %[1]s
%[3]s`

// quadlet is the same for Podman. Its arguments are the container's name and image. Without PidsLimit=0, crun requires a
// controller that a test host may lack.
const quadlet = `[Unit]
StartLimitIntervalSec=0
[Container]
Image=%[2]s
ContainerName=%[1]s
HealthCmd=none
PidsLimit=0
[Service]
Restart=always
RestartSec=0
`

// toFile sends a unit's output to a file instead of the journal.
const toFile = "StandardOutput=file:" + linesFile + "\nStandardError=journal\n"

// unitFile is a unit's path and content.
type unitFile struct{ path, text string }

// name returns the name of the unit.
func (u unitFile) name() string {
	return strings.TrimSuffix(filepath.Base(u.path), filepath.Ext(u.path)) + ".service"
}

// unitFiles are the units of the benchmark. They are in /run, so that a reboot removes them.
func unitFiles(o options) []unitFile {
	service := func(name, template, args, more string) unitFile {
		return unitFile{"/run/systemd/system/" + name + ".service", fmt.Sprintf(template, name, args, more)}
	}
	files := []unitFile{
		service(runUnit, runService, noCheck+o.image, ""),
		service(clientUnit, clientService, noCheck+o.image, ""),
		service(clientCheckedUnit, clientService, o.image, ""),
		service(linesRunUnit, runService, linesArgs(o), toFile),
		service(linesClientUnit, clientService, linesArgs(o), toFile),
	}
	if o.noQuadlet == "" {
		path := "/run/containers/systemd/" + quadletUnit + ".container"
		files = append(files, unitFile{path, fmt.Sprintf(quadlet, quadletUnit, o.image)})
	}
	return files
}

func installUnits(ctx context.Context, units []unitFile) error {
	for _, u := range units {
		if err := os.MkdirAll(filepath.Dir(u.path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(u.path, []byte(u.text), 0o600); err != nil {
			return err
		}
	}
	_, err := command{"systemctl", "daemon-reload"}.output(ctx)
	return err
}

// removeUnits stops and removes the units, in any state.
func removeUnits(ctx context.Context, units []unitFile) error {
	stop := command{"systemctl", "stop"}
	for _, u := range units {
		stop = append(stop, u.name())
	}
	if _, err := stop.output(ctx); err != nil {
		return err
	}
	for _, u := range units {
		if err := os.Remove(u.path); err != nil {
			return err
		}
	}
	_, err := command{"systemctl", "daemon-reload"}.output(ctx)
	return err
}
