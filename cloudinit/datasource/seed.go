package datasource

import (
	"errors"
	"fmt"

	"github.com/dockhost/dockhost/cloudinit"
)

// Seed reads a directory as the NoCloud datasource reads its own: it has the
// files user-data and meta-data.
func Seed(dir string) (*cloudinit.UserData, error) {
	data, reason, err := readSeed("", dir)
	switch {
	case err != nil:
		return nil, err
	case reason != "":
		return nil, errors.New(reason)
	case data == nil:
		return nil, fmt.Errorf("%q has neither user-data nor meta-data", dir)
	}
	return data, nil
}
