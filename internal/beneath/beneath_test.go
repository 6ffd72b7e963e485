package beneath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes a host: names that end with / are directories, NAME>TARGET are links, and
// the others are files with their own name in them.
func tree(tb testing.TB, names ...string) string {
	tb.Helper()
	root := tb.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, ">")
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(name), 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// names is the host of the tests.
func names() []string {
	return []string{
		"/etc/shadow", "/etc/localtime>../usr/zoneinfo/UTC", "/usr/zoneinfo/UTC",
		"/srv/web/html/", "/srv/web/index", "/srv/web/current>releases/2", "/srv/web/releases/2/", "/srv/web/absolute>/srv/web/releases/2",
		"/srv/web/up>..", "/srv/web/root>/", "/srv/web/etc>/etc", "/srv/web/relative>../../etc", "/srv/web/loop>loop", "/srv/web/dangling>/etc/new",
		"/srv/web/back>releases/../html", "/srv/web/proc>/proc/self/root",
		"/data>mnt/disk", "/mnt/disk/site/", "/alias>srv/web/etc", "/srv/website/x",
	}
}

func mounts(entries ...string) Grants { return HostMounts(entries) }

// files are the grants of another rule, on a host where containers may write to /srv/web.
func files(entries ...string) Grants {
	return Grants{Rule: "env_files", Entries: entries, Writable: []string{"/srv/web"}}
}

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		grants Grants
		// real is what the name leads to; "" for an error with the words in wrong.
		real, wrong string
	}{
		{"/srv/web/html", mounts("/srv/web"), "/srv/web/html", ""},
		{"/srv/web", mounts("/srv/web"), "/srv/web", ""},
		{"//srv/./web//html/", mounts("/srv/web"), "/srv/web/html", ""},
		{"/srv/web/index", mounts("/other", "/srv"), "/srv/web/index", ""},
		{"/srv/web/index", mounts("/srv/web/index"), "/srv/web/index", ""},
		{"/srv/web/current", mounts("/srv/web"), "/srv/web/releases/2", ""},
		{"/srv/web/absolute", mounts("/srv/web"), "/srv/web/releases/2", ""},
		{"/srv/web/back", mounts("/srv/web"), "/srv/web/html", ""},
		{"/srv/web/etc/shadow", mounts("/srv", "/etc:ro"), "/etc/shadow", ""},
		{"/data/site", mounts("/data"), "/mnt/disk/site", ""},
		{"/data/site", mounts("/mnt/disk"), "/mnt/disk/site", ""},
		{"/mnt/disk/site", mounts("/data"), "/mnt/disk/site", ""},
		{"/etc/localtime", mounts("/srv", "/etc/localtime:ro"), "/usr/zoneinfo/UTC", ""},

		{"/srv/web/etc", mounts("/srv/web"), "", `"/srv/web/etc" leads to "/etc", which is not`},
		{"/srv/web/etc/shadow", mounts("/srv/web"), "", `leads to "/etc/shadow"`},
		{"/srv/web/relative", mounts("/srv/web"), "", `leads to "/etc"`},
		{"/srv/web/root", mounts("/srv/web"), "", `leads to "/"`},
		{"/srv/web/up", mounts("/srv/web"), "", `leads to "/srv"`},
		{"/srv/web/up/web/html", mounts("/srv/web"), "/srv/web/html", ""},
		{"/srv/website/x", mounts("/srv/web"), "", `"/srv/website/x" is not in a directory`},
		{"/srv/web/loop", mounts("/srv/web"), "", "too many levels of symbolic links"},
		{"/srv/web/dangling", mounts("/srv/web"), "", `leads to "/etc/new"`},
		{"/srv/web/none", mounts("/srv/web"), "", `the host has no "/srv/web/none": create it`},
		{"/srv/web/index/x", mounts("/srv/web"), "", "not a directory"},
		{"/srv/web/none/../../../etc", mounts("/srv/web"), "", "no such file"},
		{"/srv/web/html/../../../../etc", mounts("/srv/web"), "", "not in a directory"},
		{"/srv/web/html", mounts(), "", "not in a directory that the policy grants"},
		// What a container made of a grant in another one grants nothing more.
		{"/srv/web/etc", mounts("/srv/web", "/srv/web/etc"), "", `leads to "/etc"`},
		{"/alias", mounts("/srv/web", "/alias"), "", `leads to "/etc"`},
		{"/alias", mounts("/srv/web:ro", "/alias"), "/etc", ""},
		// The same for files that another rule grants.
		{"/srv/web/index", files("/srv/web/index"), "/srv/web/index", ""},
		{"/srv/web/back/../index", files("/srv/web"), "/srv/web/index", ""},
		{"/srv/web/etc/shadow", files("/srv/web"), "", `the policy grants (env_files: [/srv/web])`},
		{"/srv/web/etc", files("/srv/web/etc"), "", `leads to "/etc"`},
		{"/srv/web/etc/shadow", files("/srv/web/etc"), "", `leads to "/etc/shadow"`},
		{"/etc/localtime", files("/etc/localtime"), "/usr/zoneinfo/UTC", ""},
	} {
		t.Run(fmt.Sprintf("%s in %v", test.name, test.grants), func(t *testing.T) {
			root := tree(t, names()...)
			fd, err := Open(root, test.name, test.grants)
			if test.real == "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("Open() = %v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatalf("Open() = %v, want %s", err, test.real)
			}
			defer unix.Close(fd)
			if real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || real != filepath.Join(root, test.real) {
				t.Errorf("Open() leads to %q, %v, want %s", real, err, test.real)
			}
		})
	}
}

// A path that was opened leads to the same file, whatever is made of its name.
func TestPath(t *testing.T) {
	root := tree(t, "srv/web/env", "etc/shadow")
	name := filepath.Join(root, "srv/web/env")
	if path, done, err := (*Grants)(nil).Path(name); err != nil || path != name {
		t.Errorf("Path() without grants = %q, %v, want %q", path, err, name)
	} else {
		done()
	}
	grants := &Grants{Rule: "env_files", Entries: []string{filepath.Dir(name)}}
	path, done, err := grants.Path(name)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := errors.Join(os.Remove(name), os.Symlink(filepath.Join(root, "etc/shadow"), name)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "srv/web/env" {
		t.Errorf("the path leads to %q, %v, want the old file", text, err)
	}
	if path, _, err := grants.Path(name); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "leads to") {
		t.Errorf("Path() of a link out = %q, %v, want an error", path, err)
	}
	if path, _, err := grants.Path(name + "s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Path() of nothing = %q, %v, want ErrNotExist", path, err)
	}
}

func TestMake(t *testing.T) {
	for _, test := range []struct {
		name   string
		grants Grants
		made   string
		wrong  string
	}{
		{"/srv/web/a/b", mounts("/srv/web"), "/srv/web/a/b", ""},
		{"/srv/app/data", mounts("/srv/app"), "/srv/app/data", ""},
		{"/srv/web/current/a", mounts("/srv/web"), "/srv/web/releases/2/a", ""},
		{"/srv/web/html", mounts("/srv/web"), "/srv/web/html", ""},
		{"/srv/web/dangling", mounts("/srv/web"), "", `leads to "/etc/new"`},
		{"/srv/web/etc/a", mounts("/srv/web"), "", `leads to "/etc/a"`},
		{"/srv/web/none/../../../etc/new", mounts("/srv/web"), "", "no such file"},
		{"/srv/web/index/a", mounts("/srv/web"), "", "not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, names()...)
			err := Make(root, test.name, test.grants)
			if test.made == "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("Make() = %v, want %q", err, test.wrong)
				}
			} else if info, statErr := os.Stat(filepath.Join(root, test.made)); err != nil || statErr != nil || !info.IsDir() {
				t.Errorf("Make() = %v and %v, want the directory %s", err, statErr, test.made)
			}
			for _, outside := range []string{"/etc/new", "/etc/a"} {
				if _, err := os.Lstat(filepath.Join(root, outside)); err == nil {
					t.Errorf("Make() created %s", outside)
				}
			}
		})
	}
}

// While another process swaps a directory for a link to /etc, and back, Open never
// returns anything outside the grant.
func TestOpenDuringSwap(t *testing.T) {
	root := tree(t, "/etc/shadow", "/srv/web/html/shadow", "/srv/web/link>/etc")
	swapped, stop := make(chan error, 1), make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				swapped <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, root+"/srv/web/html", unix.AT_FDCWD, root+"/srv/web/link", unix.RENAME_EXCHANGE); err != nil {
				swapped <- err
				return
			}
		}
	}()
	opened, refused := 0, 0
	for range 1000 {
		fd, err := Open(root, "/srv/web/html/shadow", mounts("/srv/web"))
		if err != nil {
			refused++
			continue
		}
		opened++
		file := os.NewFile(uintptr(fd), "")
		if text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || string(text) != "/srv/web/html/shadow" {
			t.Fatalf("Open() leads to %q, %v", text, err)
		}
		_ = file.Close()
	}
	close(stop)
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d opened, %d refused", opened, refused)
}

// No path leads out of the grant, whatever its parts are.
func FuzzOpen(f *testing.F) {
	for _, name := range names() {
		name, _, _ = strings.Cut(name, ">")
		f.Add(name)
	}
	f.Add("/srv/web/up/web/../web/etc/../srv/web/root/etc/shadow")
	root := tree(f, names()...)
	f.Fuzz(func(t *testing.T, name string) {
		fd, err := Open(root, name, mounts("/srv/web"))
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || !isBelow(root+"/srv/web", real) {
			t.Errorf("Open(%q) leads to %q, %v", name, real, err)
		}
	})
}
