// Package datasource finds the user data of the instance, where cloud-init
// would: it has one Source for each of cloud-init's datasources. It only
// reads, and no request leaves the host before the host's own marks (DMI,
// disks, the kernel's command line) or its configuration say which platform
// this is.
package datasource

import (
	"context"
	"errors"
	"path/filepath"

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
	// Waiting is told what is being waited for, in a sentence, and "" when for
	// nothing any more. It may be nil.
	Waiting func(what string)
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

// Names are the names of all datasources, sorted.
func Names() []string { return []string{"NoCloud"} }

// Dirs are the directories below root in which user data is found, or that
// tell of other user data, whether they are there or not.
func Dirs(root string) []string {
	var dirs []string
	for _, dir := range append(seedDirs(), "/var/lib/cloud/instance") {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	return dirs
}

// Find returns the source of this host's user data, and what it has. It
// returns at once for data on the host; for a metadata service it tries again
// until there is an answer, or ctx ends.
func Find(ctx context.Context, o Options) (Source, *cloudinit.UserData, error) {
	source := noCloud{root: o.Root}
	data, err := source.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	return source, data, nil
}
