package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/atomicfile"
)

// maxFile is the size from which the older half of the file is dropped, in bytes.
const maxFile = 256 << 10

// file is a file with a line of JSON for each event.
type file struct{ path string }

// append adds events. After an error the file is as it was before.
func (f file) append(events []api.Event) error {
	var lines bytes.Buffer
	for _, e := range events {
		raw, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines.Write(append(raw, '\n'))
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	// Non-blocking, for a pipe that someone has put in its place.
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("save events: %w", err)
	}
	text := lines.Bytes()
	if !endsLine(file, size) {
		text = append([]byte("\n"), text...) // the last write was cut short
	}
	if _, err := file.WriteAt(text, size); err != nil {
		return fmt.Errorf("save events: %w", errors.Join(err, file.Truncate(size)))
	}
	if size+int64(len(text)) > maxFile {
		return f.shorten()
	}
	return nil
}

// endsLine reports whether the last line of a file is complete.
func endsLine(file *os.File, size int64) bool {
	last := make([]byte, 1)
	_, err := file.ReadAt(last, max(size-1, 0))
	return size == 0 || err == nil && last[0] == '\n'
}

// shorten drops the older half. If that fails, the next write tries it again.
func (f file) shorten() error {
	text := f.tail(maxFile / 2)
	_, text, _ = bytes.Cut(text, []byte("\n")) // the first line is a part of one
	_ = atomicfile.Write(f.path, text, 0o600)
	return nil
}

// read returns all events of which the lines are whole.
func (f file) read() []api.Event {
	var events []api.Event
	for line := range bytes.Lines(f.tail(2 * maxFile)) {
		var e api.Event
		if json.Unmarshal(line, &e) == nil && e.Event != "" {
			events = append(events, e)
		}
	}
	return events
}

// tail returns the end of the file, nil if it cannot be read.
func (f file) tail(limit int64) []byte {
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	text, err := io.ReadAll(io.NewSectionReader(file, max(info.Size()-limit, 0), limit))
	if err != nil {
		return nil
	}
	return text
}
