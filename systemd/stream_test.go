package systemd

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

const streamHeader = "web\nweb.service\n27\n1\n0\n0\n0\n"

func webHeader() string { return defaultSyslog().header("web", "web.service", journal.PriErr) }

func TestStreamHeader(t *testing.T) {
	set := Syslog{Identifier: "shop", Facility: 19, Level: int(journal.PriNotice), Output: "journal+console", Error: "inherit"}
	apart := defaultSyslog()
	apart.Output, apart.Error = "kmsg", "journal"
	for name, test := range map[string]struct {
		settings       Syslog
		stdout, stderr string
	}{
		"defaults":        {defaultSyslog(), "web\nu\n30\n1\n0\n0\n0\n", "web\nu\n27\n1\n0\n0\n0\n"},
		"set":             {set, "shop\nu\n157\n0\n0\n0\n1\n", "shop\nu\n157\n0\n0\n0\n1\n"},
		"different files": {apart, "web\nu\n30\n1\n0\n1\n0\n", "web\nu\n27\n1\n0\n0\n0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.settings.header("web", "u", journal.PriInfo); got != test.stdout {
				t.Errorf("header of standard output = %q, want %q", got, test.stdout)
			}
			if got := test.settings.header("web", "u", journal.PriErr); got != test.stderr {
				t.Errorf("header of standard error = %q, want %q", got, test.stderr)
			}
		})
	}
}

// fakeJournal listens on a stream's socket.
func fakeJournal(t *testing.T, socket string) *net.UnixListener {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// accepted returns the next stream after reading its header.
func accepted(t *testing.T, journal *net.UnixListener) net.Conn {
	t.Helper()
	if err := journal.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	conn, err := journal.Accept()
	if err != nil {
		t.Fatal(err)
	}
	header := make([]byte, len(streamHeader))
	if _, err := io.ReadFull(conn, header); err != nil || string(header) != streamHeader {
		t.Fatalf("header = %q, %v, want %q", header, err, streamHeader)
	}
	return conn
}

func TestStreamWritesLines(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	listener := fakeJournal(t, socket)
	s := newStream(socket, webHeader)
	if _, err := s.Write([]byte("one\n")); err != nil {
		t.Fatal(err)
	}
	conn := accepted(t, listener)
	if _, err := s.Write([]byte("two, begun")); err != nil {
		t.Fatal(err)
	}
	_ = s.conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "one\ntwo, begun" {
		t.Errorf("the journal got %q, %v", got, err)
	}
}

// If the journal closes a stream, the rest goes to the next one.
func TestStreamReconnects(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	listener := fakeJournal(t, socket)
	s := newStream(socket, webHeader)
	var want strings.Builder
	for n := range 100_000 {
		fmt.Fprintf(&want, "line %d\n", n)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := s.Write([]byte(want.String()))
		wrote <- err
	}()
	// The first journal reads a part and ends. Data in its socket is lost.
	first := accepted(t, listener)
	taken := make([]byte, 4096)
	if _, err := io.ReadFull(first, taken); err != nil {
		t.Fatal(err)
	}
	rest := make(chan []byte, 1)
	_ = first.Close()
	second := accepted(t, listener)
	go func() {
		text, _ := io.ReadAll(second)
		rest <- text
	}()
	if err := <-wrote; err != nil {
		t.Fatalf("Write() = %v", err)
	}
	_ = s.conn.Close()
	got := <-rest
	if !bytes.HasSuffix([]byte(want.String()), got) || len(got) < want.Len()/2 {
		t.Errorf("the second journal got %d bytes, want the end of %d", len(got), want.Len())
	}
}

// Without a journal, a stream waits, then drops lines until a journal runs again.
func TestStreamWithoutJournal(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	s := newStream(socket, webHeader)
	s.giveUp = 200 * time.Millisecond
	began := time.Now()
	if _, err := s.Write([]byte("lost\n")); err == nil || time.Since(began) < s.giveUp {
		t.Errorf("Write() = %v after %s, want an error after %s", err, time.Since(began), s.giveUp)
	}
	listener := fakeJournal(t, socket)
	if _, err := s.Write([]byte("kept\n")); err != nil {
		t.Errorf("Write() = %v", err)
	}
	conn := accepted(t, listener)
	_ = s.conn.Close()
	if got, _ := io.ReadAll(conn); string(got) != "kept\n" {
		t.Errorf("the journal got %q, want the lines since it runs", got)
	}
}

// A journal that starts in time receives all lines.
func TestStreamAwaitsJournal(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	s := newStream(socket, webHeader)
	wrote := make(chan error, 1)
	go func() {
		_, err := s.Write([]byte("one\n"))
		wrote <- err
	}()
	listener := fakeJournal(t, socket)
	conn := accepted(t, listener)
	if err := <-wrote; err != nil {
		t.Fatalf("Write() = %v", err)
	}
	_ = s.conn.Close()
	if got, _ := io.ReadAll(conn); string(got) != "one\n" {
		t.Errorf("the journal got %q", got)
	}
}
