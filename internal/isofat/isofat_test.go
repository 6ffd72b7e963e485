package isofat

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// content is as large as to need several clusters of any size here.
func content() []byte {
	var b bytes.Buffer
	b.WriteString("#cloud-config\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "# line %d\n", i)
	}
	return b.Bytes()
}

// program returns the name of a program, and skips the test where it is not
// installed.
func program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name)
			}
		}
		tb.Skipf("%s is not installed", name)
	}
	return path
}

func command(tb testing.TB, dir, name string, args ...string) {
	tb.Helper()
	cmd := exec.Command(program(tb, name), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// files makes a tree like those of ConfigDrive and NoCloud.
func files(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range map[string][]byte{
		"user-data": content(), "meta-data": []byte("instance-id: i-1\n"), "empty": nil,
		"openstack/latest/user_data": content(), "openstack/latest/meta_data.json": []byte("{}"),
		"a long name of a file, with " + strings.Repeat("much ", 30) + "in it": []byte("x"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func iso(tb testing.TB, args ...string) []byte {
	tb.Helper()
	image := filepath.Join(tb.TempDir(), "iso")
	command(tb, files(tb), "genisoimage", append(append([]string{"-quiet", "-o", image}, args...), ".")...)
	return readImage(tb, image)
}

func fat(tb testing.TB, size int64, args ...string) []byte {
	tb.Helper()
	image := filepath.Join(tb.TempDir(), "fat")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		tb.Fatal(err)
	}
	dir := files(tb)
	command(tb, dir, "mkfs.vfat", append(args, image)...)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		tb.Fatal(err)
	}
	command(tb, dir, "mcopy", append(append([]string{"-s", "-i", image}, names...), "::")...)
	return readImage(tb, image)
}

func readImage(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestVolumes(t *testing.T) {
	tests := []struct {
		name string
		// size is that of a FAT volume, 0 for iso9660.
		size        int64
		args        []string
		kind, label string
		// plain has no names but upper case of 8 and 3 characters.
		plain bool
	}{
		{"cloud-localds", 0, []string{"-V", "cidata", "-joliet", "-rock"}, "iso9660", "cidata", false},
		{"rock ridge", 0, []string{"-V", "CIDATA", "-R"}, "iso9660", "CIDATA", false},
		{"joliet", 0, []string{"-V", "config-2", "-J", "-joliet-long"}, "iso9660", "config-2", false},
		{"openstack", 0, []string{"-V", "config-2", "-ldots", "-allow-lowercase", "-allow-multidot", "-l", "-J", "-r"}, "iso9660", "config-2", false},
		{"udf bridge", 0, []string{"-V", "rd_rdfe_stable", "-udf", "-J"}, "iso9660", "rd_rdfe_stable", false},
		{"plain", 0, []string{"-V", "CIDATA"}, "iso9660", "CIDATA", true},
		{"fat12", 2 << 20, []string{"-F", "12", "-n", "cidata"}, "vfat", "cidata", false},
		{"fat16", 16 << 20, []string{"-F", "16", "-n", "CIDATA"}, "vfat", "CIDATA", false},
		{"fat32", 64 << 20, []string{"-F", "32", "-s", "1", "-n", "config-2"}, "vfat", "config-2", false},
		{"fat with sectors of 4096", 64 << 20, []string{"-S", "4096", "-n", "CIDATA"}, "vfat", "CIDATA", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var image []byte
			if tt.size > 0 {
				image = fat(t, tt.size, tt.args...)
			} else {
				image = iso(t, tt.args...)
			}
			v, err := Open(bytes.NewReader(image))
			if err != nil {
				t.Fatal(err)
			}
			if v.Type != tt.kind || !v.HasLabel(tt.label) {
				t.Errorf("Open() = %s with labels %q, want %s with %q", v.Type, v.Labels, tt.kind, tt.label)
			}
			if tt.plain {
				if _, err := v.ReadFile("EMPTY", 1<<20); err != nil {
					t.Errorf("ReadFile(EMPTY): %v", err)
				}
				return
			}
			for _, name := range []string{"user-data", "/openstack/latest/user_data"} {
				got, err := v.ReadFile(name, 1<<20)
				if err != nil || !bytes.Equal(got, content()) {
					t.Errorf("ReadFile(%q) = %d bytes, %v, want %d bytes", name, len(got), err, len(content()))
				}
			}
			if got, err := v.ReadFile("empty", 1<<20); err != nil || len(got) != 0 {
				t.Errorf("ReadFile(empty) = %d bytes, %v, want none", len(got), err)
			}
			for _, name := range []string{"vendor-data", "user-data/x", "../user-data", "openstack/../user-data", ""} {
				if _, err := v.ReadFile(name, 1<<20); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("ReadFile(%q): %v, want fs.ErrNotExist", name, err)
				}
			}
			if _, err := v.ReadFile("openstack", 1<<20); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("ReadFile(openstack): %v, want that it is a directory", err)
			}
			if _, err := v.ReadFile("user-data", 1024); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("ReadFile(user-data) of at most 1024 bytes: %v, want an error", err)
			}
		})
	}
}

func TestLongRockRidgeNames(t *testing.T) {
	v, err := Open(bytes.NewReader(iso(t, "-V", "x", "-R")))
	if err != nil {
		t.Fatal(err)
	}
	name := "a long name of a file, with " + strings.Repeat("much ", 30) + "in it"
	if got, err := v.ReadFile(name, 100); err != nil || string(got) != "x" {
		t.Errorf("ReadFile() = %q, %v, want x", got, err)
	}
}

func TestUnknown(t *testing.T) {
	partitioned := make([]byte, 1<<20)
	partitioned[510], partitioned[511] = 0x55, 0xaa
	for name, disc := range map[string][]byte{"empty": nil, "short": make([]byte, 100), "zeros": make([]byte, 1<<20), "a partition table": partitioned} {
		if _, err := Open(bytes.NewReader(disc)); !errors.Is(err, ErrUnknown) {
			t.Errorf("Open(%s): %v, want ErrUnknown", name, err)
		}
	}
}

// TestBlockDevice reads a loop device, where root may make one.
func TestBlockDevice(t *testing.T) {
	name := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(name, iso(t, "-V", "cidata", "-J", "-r"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t, "losetup"), "-f", "--show", "-r", name).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { command(t, "", "losetup", "-d", device) })
	disc, err := os.Open(device)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disc.Close() }()
	v, err := Open(disc)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.ReadFile("user-data", 1<<20); err != nil || !bytes.Equal(got, content()) || !v.HasLabel("cidata") {
		t.Errorf("ReadFile() = %d bytes, %v, labels %q", len(got), err, v.Labels)
	}
}

// TestDamaged flips bytes of whole images, and cuts them off: whatever comes of
// that, it ends, and takes no memory that the disc does not hold.
func TestDamaged(t *testing.T) {
	images := map[string][]byte{
		"iso":   small(iso(t, "-V", "cidata", "-J", "-r")),
		"fat12": fat(t, 1<<20, "-F", "12", "-n", "cidata"),
		"fat32": fat(t, 64<<20, "-F", "32", "-s", "1", "-n", "cidata")[:1<<21],
	}
	for _, image := range images {
		for at := 0; at < min(len(image), 96<<10); at += 7 {
			for _, value := range []byte{0x00, 0xff, 0x80} {
				was := image[at]
				image[at] = value
				exercise(image)
				image[at] = was
			}
		}
		for size := 0; size < len(image); size += 40_001 {
			exercise(image[:size])
		}
	}
}

func small(image []byte) []byte { return image[:min(len(image), 400<<10)] }

func exercise(image []byte) {
	v, err := Open(bytes.NewReader(image))
	if err != nil {
		return
	}
	for _, name := range []string{"meta-data", "openstack/latest/meta_data.json"} {
		_, _ = v.ReadFile(name, 1<<20)
	}
}

// FuzzOpen takes what stands from sector 16 on, or at the start, as the disc.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x01CD001"), true)
	f.Add([]byte("\xeb\x3c\x90mkfs.fat"), false)
	f.Add(small(fat(f, 1<<20, "-F", "12", "-n", "cidata")), false)
	f.Add(small(fat(f, 64<<20, "-F", "32", "-s", "1", "-n", "cidata")), false)
	f.Add(small(iso(f, "-V", "cidata", "-J", "-r"))[isoDescriptors*isoSector:], true)
	f.Fuzz(func(_ *testing.T, raw []byte, later bool) {
		if later {
			raw = append(make([]byte, isoDescriptors*isoSector), raw...)
		}
		exercise(raw)
	})
}
