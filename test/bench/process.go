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
	"time"
)

// memory is what a process uses, in KiB, as proc_pid_smaps(5) counts it.
type memory struct {
	// rss counts pages that it shares in full, pss in proportion to how many share them.
	rss, pss int
	// anonymous is what is its own alone, and cannot be dropped.
	anonymous int
}

// mainPID is the main process of a unit that runs.
func mainPID(ctx context.Context, unit string) (int, error) {
	out, err := property(ctx, unit, "MainPID")
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(out)
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("%s has no main process (see: systemctl status %s)", unit, unit)
	}
	return pid, nil
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
	err := parseNumbers(r, "kB", map[string]*int{"Rss": &m.rss, "Pss": &m.pss, "Anonymous": &m.anonymous})
	return m, err
}

// readSwitches counts how often the kernel switched to the threads of a process: because they had something to do, or
// because something else had before. It disturbs none of them.
func readSwitches(pid int) (int, error) {
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/status"))
	if err != nil {
		return 0, err
	}
	if len(threads) == 0 {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	sum := 0
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		switches, err := parseSwitches(strings.NewReader(string(text)))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += switches
	}
	return sum, nil
}

// parseSwitches reads lines as "voluntary_ctxt_switches:	12", as proc_pid_status(5) has them.
func parseSwitches(r io.Reader) (int, error) {
	var voluntary, other int
	err := parseNumbers(r, "", map[string]*int{"voluntary_ctxt_switches": &voluntary, "nonvoluntary_ctxt_switches": &other})
	return voluntary + other, err
}

// parseNumbers reads from lines as "NAME: NUMBER UNIT" those that are asked for. Each must be there.
func parseNumbers(r io.Reader, unit string, into map[string]*int) error {
	found := 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		number, asked := into[name]
		if !asked {
			continue
		}
		parsed, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, unit)))
		if err != nil {
			return fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		*number = parsed
		found++
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if found < len(into) {
		return errors.New("not all of the numbers are there")
	}
	return nil
}

// tick is the unit of the times in proc_pid_stat(5), the same on every architecture that dockhost is built for.
const tick = 10 * time.Millisecond

// readCPU is the time that a process has used, those of its threads that have ended included.
func readCPU(pid int) (time.Duration, error) {
	path := filepath.Join("/proc", strconv.Itoa(pid), "stat")
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	cpu, err := parseCPU(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return cpu, nil
}

// parseCPU adds utime and stime, the 14th and 15th field. The 2nd, the program's name in parentheses, may hold anything.
func parseCPU(stat string) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) <= stime {
		return 0, fmt.Errorf("only %d fields after the program's name", len(fields))
	}
	user, userErr := strconv.Atoi(fields[utime])
	system, systemErr := strconv.Atoi(fields[stime])
	if err := errors.Join(userErr, systemErr); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}
