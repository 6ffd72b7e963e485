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

// xidMeaning says what an error of the driver's means after which a GPU is of
// no use before it was reset, or "" for another one: most are mistakes of the
// program that uses it (https://docs.nvidia.com/deploy/xid-errors).
func xidMeaning(xid int) string {
	switch xid {
	case 46:
		return "it stopped processing"
	case 48:
		return "its memory has an error that cannot be corrected"
	case 62, 61:
		return "its micro-controller halted"
	case 64:
		return "a broken row of its memory could not be replaced"
	case 74:
		return "its NVLink failed"
	case 79:
		return "it has fallen off the bus"
	case 95:
		return "its memory has an error that could not be contained"
	case 119, 120:
		return "its system processor (GSP) does not answer"
	case 140:
		return "its memory has an error that was not recovered from"
	}
	return ""
}

// xidLine is what the driver logs: NVRM: Xid (PCI:0000:01:00): 79, pid=...
var xidLine = regexp.MustCompile(`NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): ([0-9]+)`)

// lostByXid returns what the last error says of one of the GPUs on these buses
// that the kernel has logged after a time, in microseconds, and that it does
// not come back from by itself; or "". Without buses, any GPU is meant.
func lostByXid(records []string, since int64, buses []string) string {
	lost := ""
	for _, record := range records {
		header, text, _ := strings.Cut(record, ";")
		fields := strings.Split(header, ",")
		if len(fields) < 3 {
			continue
		}
		found := xidLine.FindStringSubmatch(text)
		if at, err := strconv.ParseInt(fields[2], 10, 64); err != nil || at < since || found == nil || !onBus(found[1], buses) {
			continue
		}
		if xid, err := strconv.Atoi(found[2]); err == nil && xidMeaning(xid) != "" {
			lost = fmt.Sprintf("the GPU at %s: %s (Xid %d in the kernel's log)", found[1], xidMeaning(xid), xid)
		}
	}
	return lost
}

// onBus says whether an address of the driver's log, which has no function
// (0000:01:00), is one of these, which have (0000:01:00.0).
func onBus(logged string, buses []string) bool {
	for _, bus := range buses {
		device, _, _ := strings.Cut(bus, ".")
		if strings.EqualFold(device, logged) || strings.EqualFold(bus, logged) {
			return true
		}
	}
	return len(buses) == 0
}

// readKernelLog returns the records of /dev/kmsg, none where there is no such
// file or this user may not read it (Documentation/ABI/testing/dev-kmsg).
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
	buffer := make([]byte, 16<<10) // one record, of 8 KiB at most
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR):
			continue // the oldest were overwritten
		case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
			return records, nil
		case err != nil:
			return records, &os.PathError{Op: "read", Path: path, Err: err}
		}
		records = append(records, strings.Split(strings.TrimSuffix(string(buffer[:n]), "\n"), "\n")...)
	}
}
