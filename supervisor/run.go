package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/atomicfile"
)

// What `dockhost run` asks for in a unit that somebody wrote: files with ids,
// containers that are kept, and those that are left to systemd.

// keeps says whether the container outlives its run, until the next start.
func (s *Supervisor) keeps() bool { return s.spec.Run != nil && s.spec.Run.Keep }

// detaches says whether the supervisor ends once the container runs.
func (s *Supervisor) detaches() bool { return s.spec.Run != nil && s.spec.Run.Detach }

func (s *Supervisor) writeCIDFile(id string) error {
	if s.spec.Run == nil || s.spec.Run.CIDFile == "" {
		return nil
	}
	return writeID("container id", s.spec.Run.CIDFile, id)
}

func (s *Supervisor) writePIDFile(pid int) error {
	if s.spec.Run == nil || s.spec.Run.PIDFile == "" || pid == 0 {
		return nil
	}
	return writeID("pid", s.spec.Run.PIDFile, strconv.Itoa(pid)+"\n")
}

func writeID(what, path, id string) error {
	if err := atomicfile.Write(path, []byte(id), 0o644); err != nil {
		return fmt.Errorf("write the file for the %s: %w", what, err)
	}
	return nil
}

// removeFiles removes what names a container that is no more.
func (s *Supervisor) removeFiles() error {
	if s.spec.Run == nil {
		return nil
	}
	files := []string{s.spec.Run.PIDFile}
	if !s.keeps() {
		files = append(files, s.spec.Run.CIDFile)
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

// adviseUnit says, once, what a unit lacks that somebody wrote: the container
// runs without it, but systemd may touch cgroups that are not its own, and
// sends its own signal past the container's.
func (s *Supervisor) adviseUnit(ctx context.Context) {
	if s.spec.Run == nil || s.unit == "" {
		return
	}
	unit, err := s.Units.Unit(ctx, s.unit)
	if err != nil {
		return
	}
	var lines []string
	if !unit.Delegate {
		lines = append(lines, "Delegate=yes")
	}
	if unit.KillMode == "control-group" {
		lines = append(lines, "KillMode=mixed")
	}
	if len(lines) > 0 {
		s.Log.Warn("the [Service] section of the unit lacks what a container needs: add these lines", zap.String("lines", strings.Join(lines, " ")), zap.String("unit", s.unit))
	}
}

// handOver leaves the container to systemd, which supervises its first process
// from then on, and never learns how that ended.
func (s *Supervisor) handOver(pid int) {
	s.detached = true
	s.Notify.HandOver(pid, s.runningStatus())
	s.Log.Warn("leaving the container to systemd, which will not learn its exit status", zap.Int("pid", pid))
}
