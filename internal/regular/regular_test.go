package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Nothing but a regular file is read, and opening it never waits.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(at("file"), []byte("12345678"), 0o600))
	must(os.WriteFile(at("large"), []byte("123456789"), 0o600))
	must(os.Symlink("file", at("link")))
	must(os.Symlink("fifo", at("link-to-fifo")))
	must(os.Symlink("loop", at("loop")))
	must(syscall.Mkfifo(at("fifo"), 0o600))
	socket, err := net.Listen("unix", at("socket"))
	must(err)
	defer socket.Close()
	tests := []struct {
		name         string
		read, follow error
	}{
		{"file", nil, nil},
		{"link", ErrNotRegular, nil},
		{"large", ErrTooLarge, ErrTooLarge},
		{"fifo", ErrNotRegular, ErrNotRegular},
		{"link-to-fifo", ErrNotRegular, ErrNotRegular},
		{"loop", ErrNotRegular, syscall.ELOOP},
		{"socket", ErrNotRegular, ErrNotRegular},
		{".", ErrNotRegular, ErrNotRegular},
		{"gone", fs.ErrNotExist, fs.ErrNotExist},
	}
	for _, test := range tests {
		if raw, err := Read(at(test.name), 8); !errors.Is(err, test.read) || err == nil && string(raw) != "12345678" {
			t.Errorf("Read(%s) = %q, %v, want %v", test.name, raw, err, test.read)
		}
		if raw, err := Follow(at(test.name), 8); !errors.Is(err, test.follow) || err == nil && string(raw) != "12345678" {
			t.Errorf("Follow(%s) = %q, %v, want %v", test.name, raw, err, test.follow)
		}
	}
	if _, err := Follow("/dev/zero", 8); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Follow(/dev/zero) = %v, want %v", err, ErrNotRegular)
	}
}

// A file that is larger than it may be is refused by its size: reading it would need memory.
func TestLargeFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	memory := testing.AllocsPerRun(1, func() {
		if _, err := Read(path, State); !errors.Is(err, ErrTooLarge) {
			t.Errorf("Read() = %v, want %v", err, ErrTooLarge)
		}
	})
	if memory > 20 {
		t.Errorf("Read() allocates %v times, want it to read nothing", memory)
	}
}
