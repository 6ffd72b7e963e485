package supervisor

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// dockhost-runtime gets the descriptors at each start of the container.
func TestSocketsAreSentAgain(t *testing.T) {
	dir := t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	k, err := keepSockets(t.Context(), systemd.Sockets{FDs: []int{int(read.Fd())}, Names: "web"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	place := k.place()
	if place.Count != 1 || place.Names != "web" || !strings.HasPrefix(place.Path, dir+"/"+placement.SocketsPrefix) {
		t.Errorf("place() = %+v, want one socket named web", place)
	}
	for range 2 {
		conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: place.Path, Net: "unixpacket"})
		if err != nil {
			t.Fatal(err)
		}
		control := make([]byte, 100)
		_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 1), control)
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		messages, err := unix.ParseSocketControlMessage(control[:n])
		if err != nil || len(messages) != 1 {
			t.Fatalf("messages = %v, %v, want one", messages, err)
		}
		files, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(files) != 1 {
			t.Fatalf("files = %v, %v, want one", files, err)
		}
		var got, want unix.Stat_t
		if unix.Fstat(files[0], &got) != nil || unix.Fstat(int(read.Fd()), &want) != nil || got.Ino != want.Ino {
			t.Errorf("descriptor has inode %d, want %d", got.Ino, want.Ino)
		}
		_ = unix.Close(files[0])
	}
	k.close()
	if _, err := os.Lstat(place.Path); err == nil {
		t.Errorf("%s still exists", place.Path)
	}
}

func TestSocketsAreRefused(t *testing.T) {
	one := systemd.Sockets{FDs: []int{3}}
	inUnit := &unit{name: "web.service", log: zap.NewNop()}
	for name, test := range map[string]struct {
		sockets systemd.Sockets
		runtime string
		unit    *unit
		want    string
	}{
		"no sockets":        {systemd.Sockets{}, "runsc", inUnit, ""},
		"of another":        {systemd.Sockets{Others: 1}, "runsc", inUnit, ""},
		"runc":              {one, "", inUnit, ""},
		"crun by path":      {one, "/usr/bin/crun", inUnit, ""},
		"runc of nvidia":    {one, "nvidia-container-runtime.cdi", inUnit, ""},
		"gVisor":            {one, "runsc", inUnit, `OCI runtime "runsc" cannot pass`},
		"outside of a unit": {one, "", &unit{log: zap.NewNop()}, "outside of a unit"},
		"too many":          {systemd.Sockets{FDs: make([]int, 254)}, "", inUnit, "at most 253"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &spec.Container{Runtime: test.runtime, HostConfig: &container.HostConfig{}}
			err := checkSockets(test.sockets, c, test.unit)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("checkSockets() = %v, want %q", err, test.want)
			}
		})
	}
}
