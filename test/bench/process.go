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
	// rss counts shared pages in full, pss divides them by the number of processes that share them.
	rss, pss int
	// anonymous counts private pages that the kernel cannot drop.
	anonymous int
}

// mainPID returns the main process of an active unit.
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

// parseMemory reads lines such as "Pss:    1234 kB".
func parseMemory(r io.Reader) (memory, error) {
	var m memory
	err := parseNumbers(r, "kB", map[string]*int{"Rss": &m.rss, "Pss": &m.pss, "Anonymous": &m.anonymous})
	return m, err
}

// readSwitches returns the number of voluntary and involuntary context switches of the threads of a process. It does not
// wake them up.
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

// parseSwitches reads lines such as "voluntary_ctxt_switches:	12" of proc_pid_status(5).
func parseSwitches(r io.Reader) (int, error) {
	var voluntary, other int
	err := parseNumbers(r, "", map[string]*int{"voluntary_ctxt_switches": &voluntary, "nonvoluntary_ctxt_switches": &other})
	return voluntary + other, err
}

// parseNumbers reads the given names from lines such as "NAME: NUMBER UNIT". It fails unless all are present.
func parseNumbers(r io.Reader, unit string, into map[string]*int) error {
	found := 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		number, wanted := into[name]
		if !wanted {
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
		return errors.New("some numbers are missing")
	}
	return nil
}

// tick is the unit of the times in proc_pid_stat(5). It is the same on all architectures that dockhost supports.
const tick = 10 * time.Millisecond

// readCPU returns the CPU time of a process, including its threads that have ended.
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

// parseCPU adds utime and stime, the 14th and 15th field. The 2nd field, the program's name in parentheses, may contain
// spaces and parentheses.
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
