// Package bugreport gathers what a person needs to find a fault of a host from afar, and
// masks its secrets. It changes nothing on the host. dockhostctl writes the result into a
// file; the agent must not import this package.
package bugreport

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/dockhost/dockhost/doctor"
)

// Options say where the report's content comes from.
type Options struct {
	// Host is the host, as the checks of doctor see it.
	Host doctor.Host
	// Engine is Docker.
	Engine Engine
	// Version is that of dockhost.
	Version string
	// Secrets are texts that must not be in the report, besides those that it finds.
	Secrets []string
}

// Engine is what a report needs of Docker.
type Engine interface {
	InfoJSON(ctx context.Context) ([]byte, error)
	InspectJSON(ctx context.Context, id string) ([]byte, error)
}

// Report is the content of a report.
type Report struct {
	// ID names the report: the time in UTC and a random number.
	ID string
	// Files are sorted by name.
	Files []File
}

// File is a file in a report.
type File struct {
	Name string
	Text []byte
}

const (
	// patience bounds each source of the report.
	patience = 20 * time.Second
	// maxFile bounds a file of the report, in bytes. The end of a longer text is kept.
	maxFile = 2 << 20
)

// source is a source of the report.
type source struct {
	name   string
	gather func(ctx context.Context) (string, error)
}

// Gather gathers a report. What cannot be read is replaced by the reason.
func Gather(ctx context.Context, o Options) (Report, error) {
	number := make([]byte, 3)
	if _, err := rand.Read(number); err != nil {
		return Report{}, fmt.Errorf("name the report: %w", err)
	}
	g := gatherer{o}
	files := g.all(ctx)
	// The secrets that one file shows are masked in all.
	mask := newMasker(append(o.Secrets, secretsOf(ctx, o)...))
	report := Report{ID: o.Host.Now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(number)}
	for _, file := range files {
		text := mask.text(string(file.Text))
		if strings.HasSuffix(file.Name, ".json") {
			text = mask.json(string(file.Text))
		}
		report.Files = append(report.Files, File{file.Name, []byte(keepEnd(text))})
	}
	return report, nil
}

func keepEnd(text string) string {
	if len(text) <= maxFile {
		return text
	}
	text = text[len(text)-maxFile:]
	_, text, _ = strings.Cut(text, "\n")
	return "(the beginning is left out)\n" + text
}

type gatherer struct {
	Options
}

// all gathers all files side by side, sorted by name.
func (g gatherer) all(ctx context.Context) []File {
	sources := slices.Concat(g.facts(), g.commands(), g.configuration(), g.containers(ctx))
	files := make([]File, len(sources))
	var group sync.WaitGroup
	for i, s := range sources {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			text, err := s.gather(ctx)
			if err != nil {
				text += fmt.Sprintf("(cannot be read: %v)\n", err)
			}
			files[i] = File{s.name, []byte(text)}
		})
	}
	group.Wait()
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files
}

// facts are what dockhost and Docker say.
func (g gatherer) facts() []source {
	return []source{
		{"doctor.json", func(ctx context.Context) (string, error) {
			return indent(doctor.Run(ctx, g.Host, doctor.Checks()))
		}},
		{"status.json", func(ctx context.Context) (string, error) {
			s, err := g.Host.Status(ctx)
			if err != nil {
				return "", err
			}
			return indent(s)
		}},
		{"docker/info.json", func(ctx context.Context) (string, error) {
			text, err := g.Engine.InfoJSON(ctx)
			return string(text), err
		}},
	}
}

func indent(v any) (string, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return string(text) + "\n", err
}

// containers are what Docker says of the host's containers.
func (g gatherer) containers(ctx context.Context) []source {
	s, err := g.Host.Status(ctx)
	if err != nil {
		return nil
	}
	var sources []source
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.ID == "" {
			continue
		}
		sources = append(sources, source{path.Join("docker/containers", c.Name+".json"), func(ctx context.Context) (string, error) {
			raw, err := g.Engine.InspectJSON(ctx, c.ID)
			return string(raw), err
		}})
	}
	return sources
}
