package gpu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// xidMeaning explains a driver error (Xid) after which a GPU needs a reset. It
// returns "" for any other: most are mistakes of the program that uses the GPU
// (https://docs.nvidia.com/deploy/xid-errors).
func xidMeaning(xid int) string {
	switch xid {
	case 46:
		return "it stopped processing"
	case 48:
		return "its memory has an uncorrectable error"
	case 62, 61:
		return "its micro-controller halted"
	case 64:
		return "a faulty row of its memory could not be remapped"
	case 74:
		return "its NVLink failed"
	case 79:
		return "it has fallen off the bus"
	case 95:
		return "its memory has an uncontained error"
	case 119, 120:
		return "its system processor (GSP) does not answer"
	case 140:
		return "its memory has an unrecovered error"
	}
	return ""
}

// xidLine matches the driver's log message: NVRM: Xid (PCI:0000:01:00): 79, pid=...
var xidLine = regexp.MustCompile(`NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): ([0-9]+)`)

// lostByXid explains the last error, in the kernel's log since a time in
// microseconds, from which a GPU at one of these addresses does not recover. It
// returns "" without one. Without addresses, it considers every GPU.
func lostByXid(records []string, since int64, buses []string) string {
	lost := ""
	for _, record := range records {
		header, text, _ := strings.Cut(record, ";")
		fields := strings.Split(header, ",")
		if len(fields) < 3 {
			continue
		}
		match := xidLine.FindStringSubmatch(text)
		if at, err := strconv.ParseInt(fields[2], 10, 64); err != nil || at < since || match == nil || !onBus(match[1], buses) {
			continue
		}
		if xid, err := strconv.Atoi(match[2]); err == nil && xidMeaning(xid) != "" {
			lost = fmt.Sprintf("the GPU at %s: %s (Xid %d in the kernel log)", match[1], xidMeaning(xid), xid)
		}
	}
	return lost
}

// onBus says whether an address in the driver's log, without a PCI function
// (0000:01:00), is one of buses, which have one (0000:01:00.0).
func onBus(logged string, buses []string) bool {
	for _, bus := range buses {
		device, _, _ := strings.Cut(bus, ".")
		if strings.EqualFold(device, logged) || strings.EqualFold(bus, logged) {
			return true
		}
	}
	return len(buses) == 0
}

// readKernelLog returns the records of /dev/kmsg, none if the file does not exist
// or this user may not read it (Documentation/ABI/testing/dev-kmsg).
func readKernelLog(path string) ([]string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, nil
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var records []string
	buffer := make([]byte, 16<<10) // a read returns one record, of at most 8 KiB
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue // the oldest records were overwritten
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return records, nil
		case err != nil:
			return records, &os.PathError{Op: "read", Path: path, Err: err}
		}
		records = append(records, strings.Split(strings.TrimSuffix(string(buffer[:n]), "\n"), "\n")...)
	}
}
