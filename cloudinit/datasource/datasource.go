// Package datasource finds the user data of the instance, where cloud-init
// would: it has one Source for each of cloud-init's datasources. It only
// reads, and no request leaves the host before the host's own marks (DMI,
// disks, the kernel's command line) or its configuration say which platform
// this is.
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
	// Names are the datasources to try and their order, by cloud-init's names;
	// without any, those that the host's marks point to.
	Names []string
	// IMDSv1 allows EC2's metadata service to be asked without a token, where
	// it gives none.
	IMDSv1 bool
	// Fetched allows what cloud-init fetched from a metadata service in this
	// boot as the answer. That is right for the first time in a boot: what was
	// changed since then is not in it.
	Fetched bool
	// Asking is told before a metadata service is asked, which may take long. It
	// may be nil.
	Asking func()
	// Waiting is told what is being waited for, in a sentence, and "" when for
	// nothing any more. It may be nil.
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
	// Name is the name that cloud-init has for it: "NoCloud", "Ec2".
	Name() string
	// Read asks for the user data. The error is ErrNotFound when there is
	// none for this host, and also names then what is incomplete.
	Read(ctx context.Context) (*cloudinit.UserData, error)
}

// Watcher is a Source that can tell of a change.
type Watcher interface {
	Source
	// Changed returns when the user data may be another than what Read
	// returned last.
	Changed(ctx context.Context) error
}

// Dirs are the directories below root in which user data is found, or that
// tell of other user data, whether they are there or not.
func Dirs(root string) []string {
	var dirs []string
	for _, dir := range append(seedDirs(), configSeed, ovfSeed, azureKept, "/var/lib/cloud/instance") {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	return dirs
}

// Watched says whether a file lies in one of [Dirs], so that its changes are
// seen.
func Watched(path string) bool { return slices.Contains(Dirs(""), filepath.Dir(path)) }

// Find returns the source of this host's user data, and what it has. It
// returns at once for data on the host; for a metadata service it tries again
// until there is an answer, or ctx ends. The error is ErrNotFound where no
// datasource has any, and names what is incomplete.
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

// read asks the source, or takes what cloud-init has from it. What is on the
// host is read itself: it is as near, and may have changed.
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
