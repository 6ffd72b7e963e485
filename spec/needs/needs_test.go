package needs

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/spec"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantProblems compares an error with parts of its lines; none means no error.
func wantProblems(t *testing.T, err error, want ...string) {
	t.Helper()
	var lines []string
	if err != nil {
		lines = strings.Split(err.Error(), "\n")
	}
	if len(lines) != len(want) {
		t.Fatalf("error = %v, want %q", err, want)
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) {
			t.Errorf("error = %q, want %q", line, want[i])
		}
	}
}

// grant are the grants of a directory.
func grant(directory string) *beneath.Grants {
	return &beneath.Grants{Rule: "env_files", Entries: []string{directory}}
}

// link returns a symbolic link to a path.
func link(t *testing.T, to string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCheck(t *testing.T) {
	here, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	fifo := filepath.Join(here, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	bind := func(source string, create bool) mount.Mount {
		return mount.Mount{Type: mount.TypeBind, Source: source, Target: "/x", BindOptions: &mount.BindOptions{CreateMountpoint: create}}
	}
	device := func(path string) container.DeviceMapping { return container.DeviceMapping{PathOnHost: path} }
	tests := []struct {
		name   string
		change func(c *spec.Container)
		hidden []string
		want   []string
	}{
		{"nothing", func(*spec.Container) {}, nil, nil},
		{"all there", func(c *spec.Container) {
			c.EnvFiles = []spec.EnvFile{{Path: write(t, "A=b\n"), Required: true}, {Path: gone}, {Path: "/dev/null", Required: true}}
			c.Files = []spec.File{{Target: "/s", Path: write(t, "s3cret")}, {Target: "/c", Content: []byte("s3cret")}, {Target: "/x", Credential: "x"}}
			c.HostConfig.Devices = []container.DeviceMapping{device("/dev/null")}
			c.HostConfig.Mounts = []mount.Mount{bind(here, false), bind(gone, true), {Type: mount.TypeVolume, Source: "data"}}
		}, nil, nil},
		{"all missing", func(c *spec.Container) {
			c.EnvFiles = []spec.EnvFile{{Path: gone, Required: true}}
			c.Files = []spec.File{{Target: "/run/secrets/a", Path: gone}, {Target: "/run/secrets/b", Path: here}}
			c.HostConfig.Devices = []container.DeviceMapping{device(gone)}
			c.HostConfig.Mounts = []mount.Mount{bind(gone, false), {Type: mount.TypeBind, Source: gone, Target: "/x"}}
		}, nil, []string{"read env_file: open " + gone, "(create it, or change file:", here + " is not a regular file (change file:", "no device \"" + gone, "no \"" + gone, "no \"" + gone}},
		{"wrong env file", func(c *spec.Container) { c.EnvFiles = []spec.EnvFile{{Path: write(t, "A 's3cret\n")}} }, nil, []string{"its lines are not NAME=VALUE"}},
		{"env file is a directory", func(c *spec.Container) { c.EnvFiles = []spec.EnvFile{{Path: here}} }, nil, []string{"is a directory"}},
		{"env file is too large", func(c *spec.Container) {
			c.EnvFiles = []spec.EnvFile{{Path: write(t, strings.Repeat("#\n", maxEnvFile))}}
		}, nil, []string{"larger than 1 MiB"}},
		{"env file is a FIFO", func(c *spec.Container) { c.EnvFiles = []spec.EnvFile{{Path: fifo}} }, nil, nil},
		{"in grants", func(c *spec.Container) {
			c.EnvFiles = []spec.EnvFile{{Path: write(t, "A=b\n"), Required: true}}
			c.Files = []spec.File{{Target: "/s", Path: write(t, "s3cret")}}
			c.EnvGrants, c.FileGrants = grant(filepath.Dir(c.EnvFiles[0].Path)), grant(filepath.Dir(c.Files[0].Path))
			c.EnvFiles = append(c.EnvFiles, spec.EnvFile{Path: c.EnvFiles[0].Path + "-none"})
		}, nil, nil},
		{"links out of grants", func(c *spec.Container) {
			c.EnvFiles, c.EnvGrants = []spec.EnvFile{{Path: link(t, write(t, "A=s3cret\n"))}}, grant(here)
			c.Files, c.FileGrants = []spec.File{{Target: "/s", Path: link(t, write(t, "s3cret"))}}, grant(here)
		}, nil, []string{"not in a directory that the policy grants (env_files: [" + here + "])", "not in a directory that the policy grants (env_files: [" + here + "])"}},
		{"grants of what is no file", func(c *spec.Container) {
			c.EnvFiles, c.EnvGrants = []spec.EnvFile{{Path: here}}, grant(here)
			c.Files, c.FileGrants = []spec.File{{Target: "/s", Path: fifo}}, grant(filepath.Dir(fifo))
		}, nil, []string{"read env_file \"" + here + "\"", "read " + fifo}},
		{"hidden", func(c *spec.Container) {
			c.Files = []spec.File{{Target: "/s", Path: gone}}
			c.EnvFiles = []spec.EnvFile{{Path: gone, Required: true}}
			c.HostConfig.Devices = []container.DeviceMapping{device(gone)}
			c.HostConfig.Mounts = []mount.Mount{bind(gone, false)}
		}, []string{filepath.Dir(gone)}, nil},
		{"mounted later", func(c *spec.Container) {
			c.Mounts = []spec.Mount{{What: "/dev/sdb", Where: gone}}
			c.HostConfig.Mounts = []mount.Mount{bind(gone+"/data", false), bind(gone+"2", false)}
			c.Unit = []spec.UnitSetting{{Section: "Unit", Key: "RequiresMountsFor", Value: "/none " + gone + "2"}}
		}, nil, nil},
		{"beside a mount", func(c *spec.Container) {
			c.Mounts = []spec.Mount{{What: "/dev/sdb", Where: gone}}
			c.HostConfig.Mounts = []mount.Mount{bind(gone+"2", false)}
		}, nil, []string{"create it, or set create_host_path: true"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &spec.Container{Name: "app", HostConfig: &container.HostConfig{}}
			test.change(c)
			err := Check(t.Context(), c, test.hidden...)
			wantProblems(t, err, test.want...)
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error = %v quotes the file", err)
			}
		})
	}
}

func TestRuntime(t *testing.T) {
	runtimes := map[string]string{"nvidia": "/usr/bin/nvidia-container-runtime"}
	for _, name := range []string{"", "nvidia", "sh", "/bin/sh"} {
		wantProblems(t, Runtime(&spec.Container{Runtime: name}, runtimes))
	}
	for _, name := range []string{"crunch", "/none/crunch"} {
		wantProblems(t, Runtime(&spec.Container{Runtime: name}, runtimes), "is neither registered with Docker nor a program in PATH")
	}
}

func TestPlatform(t *testing.T) {
	host := runtime.GOOS + "/" + runtime.GOARCH
	foreign := "linux/s390x"
	for _, image := range []string{host, host + "/v8", ""} {
		wantProblems(t, Platform(&spec.Container{Image: "app"}, image))
	}
	wantProblems(t, Platform(&spec.Container{Image: "app", Platform: foreign}, foreign))
	wantProblems(t, Platform(&spec.Container{Image: "app:1"}, foreign), `image "app:1" is for linux/s390x, and this host is `+host+" (")
}

func TestRuns(t *testing.T) {
	tests := []struct {
		host, image string
		want        bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/386", true},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "linux/arm64/v8", false},
		{"linux/arm64", "linux/arm/v7", true},
		{"linux/arm64", "linux/amd64", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/riscv64", "linux/riscv64", true},
	}
	for _, test := range tests {
		if got := runs(test.host, test.image); got != test.want {
			t.Errorf("runs(%q, %q) = %v, want %v", test.host, test.image, got, test.want)
		}
	}
}

func FuzzReadEnvFile(f *testing.F) {
	for _, text := range []string{"A=b\n", "A='b\n", "A=${B:-c}\n", "export A=b # c\n", "=\n", "A 's3cret\n"} {
		f.Add([]byte(text), "")
		f.Add([]byte(text), "raw")
	}
	f.Fuzz(func(t *testing.T, text []byte, format string) {
		if format != "" {
			format = "raw"
		}
		vars, err := ReadEnvFile(spec.EnvFile{Path: write(t, string(text)), Format: format}, nil)
		if err != nil && vars != nil {
			t.Errorf("ReadEnvFile(%q) = %v, %v, want one of them", text, vars, err)
		}
	})
}
