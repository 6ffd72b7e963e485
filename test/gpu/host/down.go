package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// down undoes up. It may be called at any time.
func down() error {
	raw, err := os.ReadFile(made)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for path := range strings.FieldsSeq(string(raw)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if _, err := os.Stat(tree); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, path := range mounted() {
		if err := unmount(path); err != nil {
			return err
		}
	}
	return os.RemoveAll(tree)
}

// unmount removes only mounts of the tree from a path.
func unmount(path string) error {
	var ours, there unix.Stat_t
	for {
		if err := errors.Join(unix.Stat(tree+path, &ours), unix.Stat(path, &there)); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		if ours.Dev != there.Dev || ours.Ino != there.Ino {
			return nil
		}
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return err
		}
	}
}
