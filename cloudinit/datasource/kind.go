package datasource

import "slices"

// kind is one of cloud-init's datasources, as this package knows it.
type kind struct {
	// name is cloud-init's: "Ec2".
	name string
	// detect says whether this may be the datasource of the host, and by what
	// that was found, in a few words. It asks the host's own marks alone: DMI,
	// disks, files, the kernel's command line.
	detect func(h *host) (how string, ok bool)
	// open makes the Source. It is cheap: Read does the work.
	open func(o Options, h *host) Source
}

// kinds returns all datasources in the order in which they are tried.
func kinds() []kind { return slices.Concat(localKinds(), networkKinds()) }

// localKinds are the datasources that need no metadata service.
func localKinds() []kind { return nil }
