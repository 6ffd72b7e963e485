//go:build e2e_docker

package dockerrun

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dockhost/dockhost/engine"
)

// createRequest is a request to create a container.
type createRequest struct {
	Query string
	*container.Config
	HostConfig       *container.HostConfig
	NetworkingConfig *network.NetworkingConfig
}

// recorder is a Docker API that accepts all requests and does nothing.
type recorder struct {
	address string
	mu      sync.Mutex
	version string
	last    *createRequest
}

var create = regexp.MustCompile(`^/v([0-9.]+)/containers/create$`)

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{address: "unix://" + socket, version: "1.51"}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: r}}
	server.Start()
	t.Cleanup(server.Close)
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("API-Version", r.version)
	w.Header().Set("Ostype", "linux")
	match := create.FindStringSubmatch(req.URL.Path)
	switch {
	case match != nil:
		r.version, r.last = match[1], &createRequest{Query: req.URL.RawQuery}
		if err := json.NewDecoder(req.Body).Decode(r.last); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"Id": "0123456789ab"}`))
	case strings.HasSuffix(req.URL.Path, "/start"):
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = w.Write([]byte("{}"))
	}
}

// TestReal compares the request of this host's `docker run -d ARGS`
// with the supervisor's. The docker command has another version than the linked
// docker/cli, so command lines that it does not know are skipped.
func TestReal(t *testing.T) {
	dir := t.TempDir()
	envFile := write(t, dir, "app.env", "A=file\nB=file\n")
	labels := write(t, dir, "labels", "team=night\n")
	write(t, dir, "config.json", `{"proxies": {"default": {"httpProxy": "http://proxy:3128"}}}`)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("INHERITED", "yes")
	compared := 0
	for _, line := range []string{
		"nginx",
		"nginx:1.22 nginx -g daemon~off;",
		"registry.test:5000/team/app@sha256:" + strings.Repeat("0a", 32),
		"-it --name web.service -p 443:443 nginx",
		"-i nginx", "-t nginx",
		"-e A=1 -e INHERITED -e UNSET_HERE -e HTTP_PROXY= nginx",
		"--env-file " + envFile + " -e A=2 nginx",
		"--label-file " + labels + " -l a=b --label c nginx",
		"-p 80:80 -p 127.0.0.1:53:53/udp -p 8000-8002:8000-8002 --expose 9000 -P nginx",
		"-p published=80,target=8080,protocol=udp nginx",
		"-v /srv:/srv:ro,z -v data:/data -v /anonymous -v ./here:/here nginx",
		"--mount type=bind,src=/srv,dst=/srv,readonly,bind-propagation=rslave --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777 nginx",
		"--mount type=volume,src=d,dst=/d,volume-driver=local,volume-opt=type=nfs,volume-label=a=b,volume-nocopy nginx",
		"--tmpfs /run:size=64k --tmpfs /x --read-only --volumes-from other:ro --volume-driver local nginx",
		"--device /dev/null:/dev/x:r --device /dev/zero --device-cgroup-rule c~1:3~rwm nginx",
		"--gpus all nginx", "--gpus 2 nginx", `--gpus "device=0,1",capabilities=utility nginx`,
		"-m 100m --memory-reservation 50m --memory-swap -1 --memory-swappiness 10 --oom-kill-disable --oom-score-adj -500 nginx",
		"--cpus 1.5 --cpuset-cpus 0 --cpuset-mems 0 -c 512 nginx",
		"--cpu-period 1000 --cpu-quota 500 --cpu-rt-period 1 --cpu-rt-runtime 1 nginx",
		"--pids-limit -1 --ulimit nofile=64:128 --ulimit core=0 --shm-size 1g nginx",
		"--blkio-weight 100 --blkio-weight-device /dev/sda:10 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:10 nginx",
		"--network host nginx", "--net none nginx", "--network container:other nginx",
		"--network front --network-alias www --ip 10.0.0.9 --ip6 fd00::9 --link db:sql --link-local-ip 169.254.0.9 nginx",
		"--network name=front,alias=www,ip=10.0.0.9,driver-opt=a=b nginx",
		"--link db --mac-address 02:42:00:00:00:01 nginx",
		"--dns 1.1.1.1 --dns-search example.com --dns-option ndots:1 --add-host db:10.0.0.1 --add-host gw:host-gateway nginx",
		"-h www --domainname example.com --pid host --ipc host --uts host --userns host --cgroupns private nginx",
		"--ipc container:other --pid container:other nginx",
		"--privileged --cap-add NET_ADMIN --cap-drop ALL --group-add audio -u 1000:1000 nginx",
		"--security-opt no-new-privileges --security-opt seccomp=unconfined --security-opt label=disable --security-opt systempaths=unconfined nginx",
		"--init nginx", "--init=false nginx",
		"--entrypoint /bin/sh nginx -c true", "--entrypoint= nginx", "-w /srv nginx",
		"--health-cmd true --health-interval 5s --health-timeout 1s --health-retries 2 --health-start-period 3s nginx",
		"--health-interval 5s nginx", "--no-healthcheck nginx",
		"--stop-signal QUIT --stop-timeout 0 nginx",
		"--log-driver journald --log-opt tag=web --log-opt labels=a nginx",
		"--sysctl net.ipv4.ip_forward=1 --storage-opt size=1G --isolation default nginx",
		"--platform linux/arm64/v8 nginx",
		"--annotation a=b nginx",
		"--device vendor.com/gpu=0 nginx",
		"--health-start-interval 1s nginx",
		"--restart no --sig-proxy=false --detach-keys ctrl-a --cidfile " + dir + "/cid nginx",
	} {
		if compare(t, words(line)) {
			compared++
		}
	}
	t.Logf("compared %d command lines", compared)
	if compared < 40 {
		t.Errorf("the docker command knew only %d of the command lines", compared)
	}
}

func compare(t *testing.T, args []string) bool {
	t.Helper()
	r := newRecorder(t)
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"run", "-d"}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+r.address)
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "unknown flag") || strings.Contains(string(out), "is not an absolute path") ||
			strings.Contains(string(out), "requires API version") {
			t.Logf("this docker cannot %q: %s", args, out)
			return false
		}
		t.Fatalf("docker run -d %q: %v: %s", args, err, out)
	}
	want := r.last

	if joined := strings.Join(args, " "); strings.Contains(joined, "gpu") {
		// Otherwise dockhost would grant the GPUs itself.
		args = append([]string{"--gpu-opt", "mode=docker"}, args...)
	}
	c, err := Parse(args, Options{Host: r.address, ConfigDir: os.Getenv("DOCKER_CONFIG")})
	if err != nil {
		t.Errorf("Parse(%q) = %v", args, err)
		return true
	}
	client, err := engine.New(engine.Options{Host: r.address})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = client.Create(t.Context(), engine.CreateRequest{
		Name: c.Name, Platform: c.Platform, Config: c.Config, HostConfig: c.HostConfig, Networking: c.Networking,
	})
	if err != nil {
		t.Errorf("create %q: %v", args, err)
		return true
	}
	want.modernize(t)
	if diff := cmp.Diff(want, r.last, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: request differs from docker run -d (-docker +dockhost):\n%s", args, diff)
	}
	return true
}

// modernize removes known differences between versions of the docker command that
// mean the same to Docker or were bugs.
func (a *createRequest) modernize(t *testing.T) {
	t.Helper()
	(&request{config: a.Config, host: a.HostConfig}).sort()
	// 20.10 leaves out the default network.
	if a.HostConfig.NetworkMode == "default" && len(a.NetworkingConfig.EndpointsConfig) == 0 {
		a.NetworkingConfig.EndpointsConfig = map[string]*network.EndpointSettings{"default": {}}
	}
	// 20.10 sends relative paths to Docker, which refuses them.
	for i, bind := range a.HostConfig.Binds {
		if path, found := strings.CutPrefix(bind, "./"); found {
			here, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			a.HostConfig.Binds[i] = filepath.Join(here, path)
		}
	}
	// 26.1 drops the rates of devices.
	if h := a.HostConfig; h.BlkioWeight == 100 && len(h.BlkioDeviceReadBps) == 0 {
		h.BlkioDeviceReadBps = []*blkiodev.ThrottleDevice{{Path: "/dev/sda", Rate: 1 << 20}}
		h.BlkioDeviceWriteIOps = []*blkiodev.ThrottleDevice{{Path: "/dev/sda", Rate: 10}}
	}
	// Both send short names, which Docker completes.
	for i, name := range a.HostConfig.CapAdd {
		if name != "ALL" && !strings.HasPrefix(name, "CAP_") {
			a.HostConfig.CapAdd[i] = "CAP_" + name
		}
	}
}
