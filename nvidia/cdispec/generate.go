package cdispec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/nvidia"
)

const (
	// generateTimeout bounds a generator. It opens every GPU, which takes seconds for
	// each without persistence mode.
	generateTimeout = 2 * time.Minute

	defaultState     = "/var/lib/dockhost/nvidia"
	defaultGenerator = "/usr/libexec/dockhost/dockhost-nvidia"
	keptFile         = "cdi.json"
)

// generator is a program that prints a spec.
type generator struct {
	by   By
	path string // within the root
	args []string
}

// generators returns the generators of this host, in the order of their use.
func (h host) generators(o Options) []generator {
	var generators []generator
	for _, path := range []string{"/usr/bin/nvidia-ctk", "/usr/local/bin/nvidia-ctk"} {
		if h.exists(path) {
			generators = append(generators, generator{ByCTK, path, []string{"cdi", "generate", "--format=json"}})
			break
		}
	}
	own := o.Generator
	if own == "" {
		own = defaultGenerator
	}
	if h.exists(own) {
		generators = append(generators, generator{ByDockhost, own, []string{"generate"}})
	}
	return generators
}

// generate returns the spec of the first generator whose spec matches the host.
func (h host) generate(ctx context.Context, i *nvidia.Inventory, o Options) (*specs.Spec, error) {
	var failures []error
	for _, g := range h.generators(o) {
		spec, err := h.run(ctx, g)
		if err == nil {
			if why := h.check(spec, i); why != "" {
				err = errors.New("its spec does not match this host: " + why)
			}
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", g.path, err))
			continue
		}
		if spec.Annotations == nil {
			spec.Annotations = map[string]string{}
		}
		spec.Annotations[annotationBy] = string(g.by)
		spec.Annotations[annotationFingerprint] = i.Fingerprint()
		return spec, nil
	}
	if len(failures) == 0 {
		return nil, ErrNoGenerator
	}
	return nil, fmt.Errorf("describe the GPUs: %w", errors.Join(failures...))
}

func (h host) run(ctx context.Context, g generator) (*specs.Spec, error) {
	ctx, cancel := context.WithTimeout(ctx, generateTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.path(g.path), g.args...)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	spec, err := parse(stdout.Bytes())
	if err != nil {
		return nil, err
	}
	if spec.Kind != Kind {
		return nil, fmt.Errorf("it did not print a spec of %s", Kind)
	}
	// The first version with annotations.
	if spec.Version < "0.6.0" {
		spec.Version = "0.6.0"
	}
	return spec, nil
}

// lastLine returns the last line, in which both generators print their error.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func (o Options) state() string {
	if o.State != "" {
		return o.State
	}
	return defaultState
}

// kept returns the spec that was generated earlier for the same inventory, if it
// still matches. It saves the seconds that a generator takes after each boot, when
// /run is empty.
func (h host) kept(i *nvidia.Inventory, o Options) *specs.Spec {
	spec, err := h.read(filepath.Join(o.state(), keptFile))
	if err != nil || spec.Kind != Kind || spec.Annotations[annotationFingerprint] != i.Fingerprint() {
		return nil
	}
	if h.check(spec, i) != "" {
		return nil
	}
	return spec
}

func (h host) keep(spec *specs.Spec, o Options) error {
	return h.write(spec, filepath.Join(o.state(), keptFile))
}

func (h host) publish(spec *specs.Spec) error { return h.write(spec, Published) }

func (h host) write(spec *specs.Spec, path string) error {
	raw, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.path(path)), 0o755); err != nil { //nolint:gosec // specs are world-readable
		return err
	}
	return atomicfile.Write(h.path(path), append(raw, '\n'), 0o644)
}
