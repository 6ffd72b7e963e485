// Package datasource finds the user data of the instance, where cloud-init
// looks for it, with one Source for each of cloud-init's datasources. It only
// reads, and sends no request before the host's own marks (DMI, disks, the
// kernel's command line) or its configuration say which platform this is.
package datasource

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// ErrNotFound says that no datasource has data for this host.
var ErrNotFound = errors.New("no datasource has user data for this host")

// Options say where to look.
type Options struct {
	// Root is a prefix of the host's paths, "" on a real one.
	Root string
	// Names are the datasources to try, in this order, by cloud-init's names.
	// Without names the host's marks decide.
	Names []string
	// IMDSv1 allows requests without a token to EC2's metadata service, if it
	// issues no tokens.
	IMDSv1 bool
	// Fetched allows the copy that cloud-init fetched from a metadata service in
	// this boot. Set it for the first read of a boot only: the copy does not
	// follow later changes.
	Fetched bool
	// Asking is called before a metadata service is asked, which may take long.
	// It may be nil.
	Asking func()
	// Waiting is called with a sentence that says what Find waits for, and with
	// "" when the wait is over. It may be nil.
	Waiting func(what string)
}

func (o Options) asking() {
	if o.Asking != nil {
		o.Asking()
	}
}

func (o Options) waiting(what string) {
	if o.Waiting != nil {
		o.Waiting(what)
	}
}

// Source is a place that has the user data of this host.
type Source interface {
	// Name is cloud-init's name for it: "NoCloud", "Ec2".
	Name() string
	// Read returns the user data. If this host has no user data there, the error
	// is ErrNotFound and names what is incomplete.
	Read(ctx context.Context) (*cloudinit.UserData, error)
}

// Watcher is a Source that can tell of a change.
type Watcher interface {
	Source
	// Changed returns when the user data may differ from the last result of
	// Read.
	Changed(ctx context.Context) error
}

// Dirs are the directories below root that hold user data, or that change when
// user data changes. Some may not exist.
func Dirs(root string) []string {
	var dirs []string
	for _, dir := range append(seedDirs(), configSeed, ovfSeed, azureKept, "/var/lib/cloud/instance") {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	return dirs
}

// Watched reports whether a file is in one of [Dirs].
func Watched(path string) bool { return slices.Contains(Dirs(""), filepath.Dir(path)) }

// Find returns the source of this host's user data, and the user data. Data on
// the host is returned at once. A metadata service is asked until it answers or
// ctx ends. If no datasource has user data, the error is ErrNotFound and names
// what is incomplete.
func Find(ctx context.Context, o Options) (Source, *cloudinit.UserData, error) {
	h := newHost(o.Root)
	chosen, err := choose(h, o.Names)
	if err != nil {
		return nil, nil, err
	}
	var incomplete []string
	for _, k := range chosen {
		source := k.open(o, h)
		data, err := k.read(ctx, o, h, source)
		switch {
		case errors.Is(err, ErrNotFound):
			if why := strings.TrimPrefix(err.Error(), ErrNotFound.Error()+": "); why != ErrNotFound.Error() {
				incomplete = append(incomplete, why)
			}
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("datasource %s: %w", k.name, err)
		}
		if data.How == "" {
			data.How = k.how
		}
		return source, data, nil
	}
	return nil, nil, notFound(incomplete...)
}

// read asks the source, or takes the copy that cloud-init fetched from it. Data
// on the host is always read itself: it may have changed.
func (k found) read(ctx context.Context, o Options, h *host, source Source) (*cloudinit.UserData, error) {
	if o.Fetched && !k.local {
		if data := fetchedBefore(h, k.kind); data != nil {
			return data, nil
		}
	}
	if !k.local {
		o.asking()
	}
	return source.Read(ctx)
}

// notFound is ErrNotFound with what is incomplete.
func notFound(incomplete ...string) error {
	if len(incomplete) == 0 {
		return ErrNotFound
	}
	return fmt.Errorf("%w: %s", ErrNotFound, strings.Join(incomplete, "; "))
}
