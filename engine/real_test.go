//go:build e2e_engine

package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
)

// TestReal runs on a test host, to which test/e2e copies it. $DOCKER_HOST is a real
// Engine. $TEST_REGISTRY is a registry with the images of test/images. It accepts
// $TEST_USER with $TEST_PASSWORD, and $TEST_CA has signed its certificate.
func TestReal(t *testing.T) {
	enginetest.RunSuite(t, newRealHost)
}

func newRealHost(t *testing.T) enginetest.Host {
	t.Helper()
	registry := os.Getenv("TEST_REGISTRY")
	host := enginetest.Host{
		Address: os.Getenv("DOCKER_HOST"), App: registry + "/app:1",
		Private: registry + "/busybox:latest", Registry: registry,
		Login:  engine.Login{Username: os.Getenv("TEST_USER"), Password: os.Getenv("TEST_PASSWORD")},
		Absent: registry + "/app:none",
		Broken: newFaulty(t, broken) + "/app:3", Stalling: newFaulty(t, stalling) + "/app:big",
	}
	for _, ref := range []string{host.Private, registry + "/app:3", registry + "/app:big"} {
		// From Docker 26 on, rm -f succeeds if the image does not exist.
		_ = exec.CommandContext(t.Context(), "docker", "image", "rm", "-f", ref).Run()
	}
	client, err := engine.New(engine.Options{
		Host: host.Address, Logins: []engine.LoginFile{engine.ConfigFile(enginetest.ConfigDir(t, map[string]engine.Login{registry: host.Login}))},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Image(t.Context(), host.App); err != nil {
		if err := client.Pull(t.Context(), engine.PullRequest{Ref: host.App, StallTimeout: time.Minute}, func(engine.Progress) {}); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

// newFaulty returns the address of a proxy of the real registry that calls blobs for
// each blob. Docker accepts a registry on the loopback interface without TLS.
func newFaulty(t *testing.T, blobs func(w http.ResponseWriter, r *http.Request, rest http.Handler)) string {
	t.Helper()
	ca, err := os.ReadFile(os.Getenv("TEST_CA"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	upstream := &url.URL{Scheme: "https", Host: os.Getenv("TEST_REGISTRY")}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.SetBasicAuth(os.Getenv("TEST_USER"), os.Getenv("TEST_PASSWORD"))
		},
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		FlushInterval: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			blobs(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// broken returns no blob.
func broken(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown to registry"}]}`)
}

// stalling returns small blobs, such as an image's configuration, and the beginning of
// larger ones.
func stalling(w http.ResponseWriter, r *http.Request, rest http.Handler) {
	rest.ServeHTTP(&halting{ResponseWriter: w, left: 100_000, end: r.Context().Done()}, r)
}

// halting passes the first bytes on and then blocks until end is closed.
type halting struct {
	http.ResponseWriter
	left int
	end  <-chan struct{}
}

func (h *halting) Write(p []byte) (int, error) {
	if h.left -= len(p); h.left < 0 {
		<-h.end
		return 0, io.ErrClosedPipe
	}
	return h.ResponseWriter.Write(p)
}

func (h *halting) Unwrap() http.ResponseWriter { return h.ResponseWriter }
