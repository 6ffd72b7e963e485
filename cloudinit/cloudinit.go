// Package cloudinit understands user data: the formats that it comes in, and
// where the `dockhost:` section is in them. It hands that section over as YAML
// with its positions and knows nothing of what the section means. It neither
// reads files nor sends requests: package datasource does. It never puts user
// data into an error or a log, because user data holds secrets.
package cloudinit

// MaxSize bounds user data, packed and unpacked. EC2 allows 16 KiB and GCE
// 256 KiB; a seed directory has no limit.
const MaxSize = 16 << 20

// UserData is what the instance was given. It holds secrets.
type UserData struct {
	// Datasource is cloud-init's name for the source: "NoCloud", "Ec2".
	Datasource string
	// How says in a few words how the datasource was found: "a seed
	// directory", "DMI product name Google Compute Engine".
	How string
	// InstanceID is the instance-id of the meta-data, or cloud-init's default
	// for this datasource: "nocloud".
	InstanceID string
	// Path is where the user data was read: a file without the root, or a URL
	// without logins.
	Path string
	// Raw is the user data as it was found: plain or packed.
	Raw []byte
	// Declaration is GCE's metadata attribute gce-container-declaration, or nil
	// if it is not set.
	Declaration []byte
	// Metadata are the values that templates may use, by cloud-init's names:
	// "v1" and "ds" with what stands below them.
	Metadata map[string]any
}
