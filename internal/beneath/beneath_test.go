package beneath

import (
	"fmt"
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

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		grants Grants
		// real is what the name leads to; "" for an error with the words in wrong.
		real, wrong string
	}{
		{"/srv/web/html", Grants{"/srv/web"}, "/srv/web/html", ""},
		{"/srv/web", Grants{"/srv/web"}, "/srv/web", ""},
		{"//srv/./web//html/", Grants{"/srv/web"}, "/srv/web/html", ""},
		{"/srv/web/index", Grants{"/other", "/srv"}, "/srv/web/index", ""},
		{"/srv/web/index", Grants{"/srv/web/index"}, "/srv/web/index", ""},
		{"/srv/web/current", Grants{"/srv/web"}, "/srv/web/releases/2", ""},
		{"/srv/web/absolute", Grants{"/srv/web"}, "/srv/web/releases/2", ""},
		{"/srv/web/back", Grants{"/srv/web"}, "/srv/web/html", ""},
		{"/srv/web/etc/shadow", Grants{"/srv", "/etc:ro"}, "/etc/shadow", ""},
		{"/data/site", Grants{"/data"}, "/mnt/disk/site", ""},
		{"/data/site", Grants{"/mnt/disk"}, "/mnt/disk/site", ""},
		{"/mnt/disk/site", Grants{"/data"}, "/mnt/disk/site", ""},
		{"/etc/localtime", Grants{"/srv", "/etc/localtime:ro"}, "/usr/zoneinfo/UTC", ""},

		{"/srv/web/etc", Grants{"/srv/web"}, "", `"/srv/web/etc" leads to "/etc", which is not`},
		{"/srv/web/etc/shadow", Grants{"/srv/web"}, "", `leads to "/etc/shadow"`},
		{"/srv/web/relative", Grants{"/srv/web"}, "", `leads to "/etc"`},
		{"/srv/web/root", Grants{"/srv/web"}, "", `leads to "/"`},
		{"/srv/web/up", Grants{"/srv/web"}, "", `leads to "/srv"`},
		{"/srv/web/up/web/html", Grants{"/srv/web"}, "/srv/web/html", ""},
		{"/srv/website/x", Grants{"/srv/web"}, "", `"/srv/website/x" is not in a directory`},
		{"/srv/web/loop", Grants{"/srv/web"}, "", "too many levels of symbolic links"},
		{"/srv/web/dangling", Grants{"/srv/web"}, "", `leads to "/etc/new"`},
		{"/srv/web/none", Grants{"/srv/web"}, "", `the host has no "/srv/web/none": create it`},
		{"/srv/web/index/x", Grants{"/srv/web"}, "", "not a directory"},
		{"/srv/web/none/../../../etc", Grants{"/srv/web"}, "", "no such file"},
		{"/srv/web/html/../../../../etc", Grants{"/srv/web"}, "", "not in a directory"},
		{"/srv/web/html", nil, "", "not in a directory that the policy grants"},
		// What a container made of a grant in another one grants nothing more.
		{"/srv/web/etc", Grants{"/srv/web", "/srv/web/etc"}, "", `leads to "/etc"`},
		{"/alias", Grants{"/srv/web", "/alias"}, "", `leads to "/etc"`},
		{"/alias", Grants{"/srv/web:ro", "/alias"}, "/etc", ""},
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

func TestMake(t *testing.T) {
	for _, test := range []struct {
		name   string
		grants Grants
		made   string
		wrong  string
	}{
		{"/srv/web/a/b", Grants{"/srv/web"}, "/srv/web/a/b", ""},
		{"/srv/app/data", Grants{"/srv/app"}, "/srv/app/data", ""},
		{"/srv/web/current/a", Grants{"/srv/web"}, "/srv/web/releases/2/a", ""},
		{"/srv/web/html", Grants{"/srv/web"}, "/srv/web/html", ""},
		{"/srv/web/dangling", Grants{"/srv/web"}, "", `leads to "/etc/new"`},
		{"/srv/web/etc/a", Grants{"/srv/web"}, "", `leads to "/etc/a"`},
		{"/srv/web/none/../../../etc/new", Grants{"/srv/web"}, "", "no such file"},
		{"/srv/web/index/a", Grants{"/srv/web"}, "", "not a directory"},
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
		fd, err := Open(root, "/srv/web/html/shadow", Grants{"/srv/web"})
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
		fd, err := Open(root, name, Grants{"/srv/web"})
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil || !isBelow(root+"/srv/web", real) {
			t.Errorf("Open(%q) leads to %q, %v", name, real, err)
		}
	})
}
