package datasource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/document"
)

// seedDirs are the directories of the NoCloud datasource, in cloud-init's
// order (cloudinit/sources/DataSourceNoCloud.py).
func seedDirs() []string {
	return []string{"/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net"}
}

// noCloud is the NoCloud datasource.
type noCloud struct {
	root string
}

func (n noCloud) Name() string { return "NoCloud" }

// Read returns the first complete seed directory.
func (n noCloud) Read(context.Context) (*cloudinit.UserData, error) {
	var incomplete []string
	for _, dir := range seedDirs() {
		data, reason, err := readSeed(n.root, dir)
		if data != nil || err != nil {
			return data, err
		}
		if reason != "" {
			incomplete = append(incomplete, reason)
		}
	}
	if len(incomplete) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, strings.Join(incomplete, "; "))
	}
	return nil, ErrNotFound
}

// readSeed reads one seed directory. Without data and without an error the
// directory is no datasource; the reason says what it lacks, if it has
// anything. NoCloud takes a directory only when it has both files.
func readSeed(root, dir string) (data *cloudinit.UserData, reason string, err error) {
	userPath, metaPath := filepath.Join(dir, "user-data"), filepath.Join(dir, "meta-data")
	user, userErr := readFile(root, userPath)
	meta, metaErr := readFile(root, metaPath)
	switch {
	case absent(userErr) && absent(metaErr):
		return nil, "", nil
	case absent(userErr) && metaErr == nil:
		return nil, fmt.Sprintf("%q has meta-data but no user-data (create an empty user-data file for an instance without any)", dir), nil
	case absent(metaErr) && userErr == nil:
		return nil, fmt.Sprintf("%q has user-data but no meta-data (create the file, for example with the line \"instance-id: my-host\"; it may be empty)", dir), nil
	}
	if err := errors.Join(userErr, metaErr); err != nil {
		return nil, "", err
	}
	id, err := instanceID(meta)
	if err != nil {
		return nil, "", err
	}
	return &cloudinit.UserData{Datasource: "NoCloud", How: "a seed directory", InstanceID: id, Path: userPath, Raw: user}, "", nil
}

func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist)
}

// readFile returns a regular file below root of at most cloudinit.MaxSize bytes.
func readFile(root, path string) ([]byte, error) {
	name := filepath.Join(root, path)
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	if !info.Mode().IsRegular() { // opening a FIFO would block for ever
		return nil, fmt.Errorf("read %q: not a regular file", path)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, cloudinit.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	if len(raw) > cloudinit.MaxSize {
		return nil, fmt.Errorf("read %q: larger than %d MiB", path, cloudinit.MaxSize>>20)
	}
	return raw, nil
}

// instanceID returns the instance-id of meta-data, which is YAML or JSON.
func instanceID(meta []byte) (string, error) {
	const file, fallback = "meta-data", "nocloud"
	top, err := document.Parse(file, meta)
	if err != nil || top == nil {
		return fallback, err
	}
	if document.IsNull(top) {
		return fallback, nil
	}
	if top.Kind != yaml.MappingNode {
		return "", document.ProblemAt(file, top, "not a mapping: write lines of KEY: VALUE, such as instance-id: my-host")
	}
	_, id := document.LookUp(top, "instance-id")
	if id == nil || document.IsNull(id) || id.Kind == yaml.ScalarNode && id.Value == "" {
		return fallback, nil
	}
	if id.Kind != yaml.ScalarNode {
		return "", document.ProblemAt(file, id, "instance-id is not a string")
	}
	return id.Value, nil
}
