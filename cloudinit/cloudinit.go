// Package cloudinit understands user data: the formats that it comes in, and
// where the `dockhost:` section is in them. It hands that section over as YAML
// with its positions and knows nothing of what the section means. It reads no
// file and asks nobody, which package datasource does, and it never puts user
// data into an error or a log: user data holds secrets.
package cloudinit

// MaxSize bounds user data, both as found and unpacked. EC2 and GCE allow
// 16 KiB and 256 KiB, a seed directory has no limit of its own.
const MaxSize = 16 << 20

// UserData is what the instance was given. It holds secrets.
type UserData struct {
	// Datasource is the name cloud-init has for the source: "NoCloud", "Ec2".
	Datasource string
	// How says by what the datasource was found, in a few words: "a seed
	// directory", "DMI product name Google Compute Engine".
	How string
	// InstanceID is the instance-id of the meta-data, or what cloud-init takes
	// where the meta-data has none: "nocloud".
	InstanceID string
	// Path is where the user data was read: a file, without the root, or the
	// URL, without logins.
	Path string
	// Raw is the user data as it was found: plain or packed.
	Raw []byte
	// Declaration is GCE's metadata attribute gce-container-declaration, nil
	// where there is none.
	Declaration []byte
	// Metadata are the values that templates may use, by cloud-init's names:
	// "v1" and "ds" with what stands below them.
	Metadata map[string]any
}
