package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is what a process uses, in KiB, as proc_pid_smaps(5) counts it.
type memory struct {
	// rss counts pages that it shares in full, pss in proportion to how many share them.
	rss, pss int
	// anonymous is what is its own alone, and cannot be dropped.
	anonymous int
}

// memories are an idle supervisor's and an idle, attached docker client's.
type memories struct {
	client, supervisor memory
}

// measureMemory starts the container in both ways, leaves both alone for a while, and stops them.
func measureMemory(ctx context.Context, o options) (m memories, err error) {
	all := newWays(o)
	if _, _, err := timed(ctx, all.unit.start); err != nil {
		return m, err
	}
	defer func() { _, _, stopErr := timed(ctx, all.unit.stop...); err = errors.Join(err, stopErr) }()
	pid, err := mainPID(ctx, "dockhost@"+o.container+".service")
	if err != nil {
		return m, err
	}
	client := newCmd(ctx, command{"docker", "run", "--rm", "--name", "dockhost-bench", o.image})
	if err := client.Start(); err != nil {
		return m, fmt.Errorf("start docker's client: %w", err)
	}
	defer func() { err = errors.Join(err, stopClient(ctx, client.Wait)) }()
	if err := awaitRunning(ctx, "dockhost-bench"); err != nil {
		return m, err
	}
	if err := pause(ctx, o.idle); err != nil {
		return m, err
	}
	if m.supervisor, err = readMemory(pid); err != nil {
		return m, err
	}
	m.client, err = readMemory(client.Process.Pid)
	return m, err
}

func mainPID(ctx context.Context, unit string) (int, error) {
	out, err := command{"systemctl", "show", "--value", "-p", "MainPID", unit}.output(ctx)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(out)
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("%s has no main process (see: systemctl status %s)", unit, unit)
	}
	return pid, nil
}

// awaitRunning returns once Docker says that the container runs.
func awaitRunning(ctx context.Context, container string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for {
		out, err := command{"docker", "container", "inspect", "-f", "{{.State.Running}}", container}.output(ctx)
		if err == nil && out == "true" {
			return nil
		}
		if waitErr := pause(ctx, settle); waitErr != nil {
			return fmt.Errorf("wait for container %s: %w", container, errors.Join(waitErr, err))
		}
	}
}

// stopClient ends the container, and the client with it. How the client exits is the container's business.
func stopClient(ctx context.Context, wait func() error) error {
	_, err := command{"docker", "stop", "dockhost-bench"}.output(ctx)
	if err == nil {
		_ = wait()
	}
	return err
}

func readMemory(pid int) (memory, error) {
	path := filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup")
	f, err := os.Open(path)
	if err != nil {
		return memory{}, err
	}
	defer f.Close()
	m, err := parseMemory(f)
	if err != nil {
		return memory{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseMemory reads lines as "Pss:    1234 kB".
func parseMemory(r io.Reader) (memory, error) {
	var m memory
	fields := map[string]*int{"Rss": &m.rss, "Pss": &m.pss, "Anonymous": &m.anonymous}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		into, known := fields[name]
		if !known {
			continue
		}
		size, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
		if err != nil {
			return memory{}, fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		*into = size
		delete(fields, name)
	}
	if err := lines.Err(); err != nil {
		return memory{}, err
	}
	if len(fields) > 0 {
		return memory{}, errors.New("it has not all of Rss, Pss and Anonymous")
	}
	return m, nil
}
