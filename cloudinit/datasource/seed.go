package datasource

import (
	"errors"
	"fmt"

	"github.com/dockhost/dockhost/cloudinit"
)

// nowhere is a root without files: a template that is rendered for inspection
// must not depend on the machine that renders it.
const nowhere = "/dev/null"

// Seed reads a directory as the NoCloud datasource reads its own: it has the
// files user-data and meta-data.
func Seed(dir string) (*cloudinit.UserData, error) {
	from := directory{"", dir}
	s, reason, err := readSeed(from)
	switch {
	case err != nil:
		return nil, err
	case reason != "":
		return nil, errors.New(reason)
	case s == nil:
		return nil, fmt.Errorf("%q has neither user-data nor meta-data", dir)
	}
	data := &cloudinit.UserData{Datasource: "NoCloud", How: placeOf(from), Path: from.path("user-data"), Raw: s.user}
	data.InstanceID = s.meta.instanceID("nocloud")
	data.Metadata = s.meta.values(newHost(nowhere), cloudNames{name: "nocloud", cloud: "unknown", sub: subplatform(data)})
	return data, nil
}
