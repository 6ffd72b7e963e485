//go:build vm

package vm

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// registry serves the part of the distribution API that a pull needs. It listens on
// the host's loopback interface, which a machine reaches at 10.0.2.2.
type registry struct {
	server *httptest.Server
	// mu guards the two maps that change while the registry serves.
	mu        sync.Mutex
	manifests map[string][]byte        // by tag and digest
	asked     map[string]chan struct{} // closed once someone gets the manifest of this digest
	blobs     map[string][]byte        // by digest
	// stalled gets a value for each download of the ballast. The download stops half
	// way until release is closed. If both are nil, downloads do not stop.
	stalled, release chan struct{}
	ballast          string
	// name is the host name of the certificate; "" means no TLS. user and password
	// are the login; "" means none.
	name, user, password string
}

// The media types of an image's parts.
const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// newRegistry returns a registry with app:2, whose layers no machine has.
func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{manifests: map[string][]byte{}, asked: map[string]chan struct{}{}, blobs: map[string][]byte{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	r.add(t, "2")
	return r
}

// newTLSRegistry returns a registry with app:2, TLS and a login.
func newTLSRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{
		manifests: map[string][]byte{}, asked: map[string]chan struct{}{}, blobs: map[string][]byte{},
		name: "registry.example.com", user: "baker", password: "only-while-baking",
	}
	r.server = httptest.NewTLSServer(r)
	t.Cleanup(r.server.Close)
	r.add(t, "2")
	return r
}

// authority returns the certificate of the authority.
func (r *registry) authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw}))
}

// login returns a config.json for Docker with the login.
func (r *registry) login() string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.host(), r.auth())
}

// auth returns user and password as in a config.json.
func (r *registry) auth() string {
	return base64.StdEncoding.EncodeToString([]byte(r.user + ":" + r.password))
}

// host returns the name and port by which machines reach the registry.
func (r *registry) host() string {
	_, port, _ := net.SplitHostPort(r.server.Listener.Addr().String())
	return cmp.Or(r.name, "10.0.2.2") + ":" + port
}

// image returns the name by which machines pull app:2.
func (r *registry) image() string { return r.host() + "/app:2" }

// stall makes each download of the ballast stop half way.
func (r *registry) stall() { r.stalled, r.release = make(chan struct{}, 100), make(chan struct{}) }

// tag makes a tag name the image of a version. It returns the digest, and a channel
// that is closed once someone gets its manifest.
func (r *registry) tag(name, version string) (of string, asked <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of = digest(r.manifests[version])
	if r.asked[of] == nil {
		r.asked[of] = make(chan struct{})
	}
	r.manifests[name] = r.manifests[version]
	return of, r.asked[of]
}

// manifest returns a manifest by its tag or digest, nil without one, and notes that
// someone gets it.
func (r *registry) manifest(name, method string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	data := r.manifests[name]
	if asked := r.asked[digest(data)]; asked != nil && method == http.MethodGet {
		close(asked)
		delete(r.asked, digest(data))
	}
	return data
}

// add adds an image: the preloaded one with another version, arguments of its program,
// and a layer of random bytes on top. No machine may use the registry meanwhile.
func (r *registry) add(t *testing.T, version string, args ...string) {
	t.Helper()
	config, layer := readArchive(t)
	ballast := make([]byte, 8<<20)
	_, _ = rand.Read(ballast)
	second := tarOf(t, "ballast", ballast)

	var c map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(config, []byte("APP_VERSION=1"), []byte("APP_VERSION="+version)), &c); err != nil {
		t.Fatal(err)
	}
	c["rootfs"] = map[string]any{"type": "layers", "diff_ids": []string{digest(layer), digest(second)}}
	delete(c, "history")
	c["config"].(map[string]any)["Cmd"] = args
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	first, top := r.blob(zip(t, layer), layerType), r.blob(zip(t, second), layerType)
	r.ballast = top["digest"].(string)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": r.blob(raw, configType),
		"layers": []any{first, top},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.manifests[version], r.manifests[digest(manifest)] = manifest, manifest
}

// blob stores data, and returns its descriptor.
func (r *registry) blob(data []byte, kind string) map[string]any {
	r.blobs[digest(data)] = data
	return map[string]any{"mediaType": kind, "size": len(data), "digest": digest(data)}
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// ServeHTTP answers /v2/, /v2/app/manifests/REFERENCE and /v2/app/blobs/DIGEST.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if user, password, _ := req.BasicAuth(); user != r.user || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := filepath.Base(req.URL.Path)
	data, kind := r.blobs[name], "application/octet-stream"
	if strings.Contains(req.URL.Path, "/manifests/") {
		data, kind = r.manifest(name, req.Method), manifestType
	}
	switch {
	case req.URL.Path == "/v2/":
		return
	case data == nil:
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.Header().Set("Docker-Content-Digest", digest(data))
	if req.Method == http.MethodHead {
		return
	}
	if r.release != nil && name == r.ballast {
		_, _ = w.Write(data[:len(data)/2])
		_ = http.NewResponseController(w).Flush()
		r.stalled <- struct{}{}
		select {
		case <-r.release:
		case <-req.Context().Done():
			return
		}
		data = data[len(data)/2:]
	}
	_, _ = w.Write(data)
}

// readArchive returns the configuration and the layer of the preloaded image.
func readArchive(t *testing.T) (config, layer []byte) {
	t.Helper()
	file, err := os.Open(filepath.Join(*image, "app.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for in := tar.NewReader(file); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return config, layer
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case header.Name == "layer.tar":
			layer = data
		case header.Name != "manifest.json":
			config = data
		}
	}
}

func tarOf(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zip(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
