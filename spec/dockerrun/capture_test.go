package dockerrun

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultPlatform(t *testing.T) {
	t.Setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm/v7")
	if c, err := Parse([]string{"nginx"}, Options{}); err != nil || c.Platform != "linux/arm/v7" {
		t.Errorf("Parse().Platform = %+v, %v, want that of DOCKER_DEFAULT_PLATFORM", c, err)
	}
}

func TestProxies(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.json", `{"auths": {"x": {"auth": "not base64"}}, "proxies": {
		"default": {"httpProxy": "http://proxy:3128", "noProxy": "localhost"}, "unix:///other.sock": {"allProxy": "socks5://other"}}}`)
	tests := []struct {
		host string
		args []string
		want []string
	}{
		{"", nil, []string{"HTTP_PROXY=http://proxy:3128", "NO_PROXY=localhost", "http_proxy=http://proxy:3128", "no_proxy=localhost"}},
		{"unix:///other.sock", nil, []string{"ALL_PROXY=socks5://other", "all_proxy=socks5://other"}},
		{"unix:///other.sock", []string{"-e", "ALL_PROXY=", "-e", "all_proxy"}, []string{"ALL_PROXY=", "all_proxy"}},
	}
	for _, test := range tests {
		c, err := Parse(append(test.args, "nginx"), Options{Host: test.host, ConfigDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, c.Config.Env); diff != "" {
			t.Errorf("Parse(%q) with proxies for %q (-want +got):\n%s", test.args, test.host, diff)
		}
	}
}

func TestBadConfigIsNamedAndNotQuoted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.json", `{"proxies": "s3cret-canary"}`)
	_, err := Parse([]string{"nginx"}, Options{ConfigDir: dir})
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), dir+"/config.json") {
		t.Errorf("Parse() with a bad config.json = %v, want an error that names it", err)
	}
}

// docker/cli keeps some values in maps. If their order changed, the agent would
// replace an unchanged container.
func TestParseIsStable(t *testing.T) {
	args := []string{"--rm"}
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		args = append(args, "-e", n+"=1", "-v", "/"+n+":/"+n, "-p", "80:80"+itoa(uintptr(n[0]-'a')), "-l", n+"=1",
			"--sysctl", "net."+n+"=1", "--tmpfs", "/t"+n, "--log-opt", n+"=1", "--network", "net"+n)
	}
	args = append(args, "--ulimit", "core=0", "--ulimit", "nofile=1", "--ulimit", "nproc=1", "--ulimit", "rss=1",
		"--gpus", "driver=x,capabilities=a,device=1,options=a=b", "nginx")
	first := ""
	for range 30 {
		c, err := Parse(args, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = encode(t, c)
		}
		if diff := cmp.Diff(first, encode(t, c)); diff != "" {
			t.Fatalf("Parse() of the same arguments (-first +later):\n%s", diff)
		}
	}
}
