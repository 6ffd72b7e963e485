package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/spec"
)

// keeps says whether the container stays after its end, until the next start.
func keeps(c *spec.Container) bool { return c.Run != nil && c.Run.Keep }

// detaches says whether the supervisor ends once the container is ready.
func detaches(c *spec.Container) bool { return c.Run != nil && c.Run.Detach }

// writeCIDFile writes the file for --cidfile.
func writeCIDFile(c *spec.Container, id string) error {
	if c.Run == nil || c.Run.CIDFile == "" {
		return nil
	}
	return writeID("container id", c.Run.CIDFile, id)
}

// writePIDFile writes the file for --pidfile. pid is 0 if the container has
// ended already.
func writePIDFile(c *spec.Container, pid int) error {
	if c.Run == nil || c.Run.PIDFile == "" || pid == 0 {
		return nil
	}
	return writeID("pid", c.Run.PIDFile, strconv.Itoa(pid)+"\n")
}

func writeID(what, path, id string) error {
	if err := atomicfile.Write(path, []byte(id), 0o644); err != nil {
		return fmt.Errorf("write the file for the %s: %w", what, err)
	}
	return nil
}

// removeIDFiles removes the files with ids of a container that has ended.
func removeIDFiles(c *spec.Container) error {
	if c.Run == nil {
		return nil
	}
	files := []string{c.Run.PIDFile}
	if !keeps(c) {
		files = append(files, c.Run.CIDFile)
	}
	var problems []error
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
