package registry

import (
	"encoding/json"
	"errors"
	"io"
	"log" //nolint:depguard // the fake requires one
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
)

const username, password = "deploy", "s3cret"

// rig is an Engine and a registry with TLS that requires a login.
type rig struct {
	*testing.T
	docker *enginetest.Server
	host   string
	root   string
	image  v1.Image
	Registries
}

func newRig(t *testing.T) *rig {
	t.Helper()
	store := fake.New(fake.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != username || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors": [{"code": "UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	dockerd := enginetest.NewServer(t)
	r := &rig{T: t, docker: dockerd, host: strings.TrimPrefix(server.URL, "https://"), root: filepath.Dir(strings.TrimPrefix(dockerd.Address(), "unix://"))}
	dockerd.Trust(r.host)
	logins := enginetest.ConfigDir(t, map[string]engine.Login{r.host: {Username: username, Password: password}})
	client, err := engine.New(engine.Options{Host: dockerd.Address(), Logins: []engine.LoginFile{engine.ConfigFile(logins)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r.Registries = Registries{Engine: client}

	if r.image, err = random.Image(1000, 3); err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(5000, 1)
	if err != nil {
		t.Fatal(err)
	}
	auth := remote.WithAuth(&authn.Basic{Username: username, Password: password})
	transport := remote.WithTransport(server.Client().Transport)
	if err := remote.Write(r.reference("one"), r.image, auth, transport); err != nil {
		t.Fatal(err)
	}
	for tag, lie := range lies() {
		if err := remote.Put(r.reference(tag), lyingImage{r.image, lie}, auth, transport); err != nil {
			t.Fatal(err)
		}
	}
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: other, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}},
		mutate.IndexAddendum{Add: r.image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	if err := remote.WriteIndex(r.reference("many"), index, auth, transport); err != nil {
		t.Fatal(err)
	}
	here := mutate.IndexAddendum{Add: r.image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}}
	crowd := mutate.AppendManifests(empty.Index, slices.Repeat([]mutate.IndexAddendum{here}, maxImages+1)...)
	if err := remote.Put(r.reference("crowd"), crowd, auth, transport); err != nil {
		t.Fatal(err)
	}
	return r
}

// lies are manifests that contradict themselves or the configuration, by their tags.
func lies() map[string]func(*v1.Manifest) {
	return map[string]func(*v1.Manifest){
		"config-below-nothing": func(m *v1.Manifest) { m.Config.Size = -1 },
		"config-too-large":     func(m *v1.Manifest) { m.Config.Size = maxAnswer + 1 },
		"config-longer":        func(m *v1.Manifest) { m.Config.Size-- },
		"layer-below-nothing":  func(m *v1.Manifest) { m.Layers[1].Size = -1 },
		"layer-too-large":      func(m *v1.Manifest) { m.Layers[2].Size = maxLayer + 1 },
		"layers-without-id": func(m *v1.Manifest) {
			for range 20_000 {
				m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.DockerLayer, Size: 1, Digest: m.Layers[0].Digest})
			}
		},
		"layer-missing": func(m *v1.Manifest) { m.Layers = m.Layers[1:] },
	}
}

// lyingImage is an image whose manifest lies.
type lyingImage struct {
	v1.Image
	lie func(*v1.Manifest)
}

func (i lyingImage) RawManifest() ([]byte, error) {
	manifest, err := i.Manifest()
	if err != nil {
		return nil, err
	}
	manifest = manifest.DeepCopy()
	i.lie(manifest)
	return json.Marshal(manifest)
}

func (r *rig) reference(tag string) name.Tag {
	r.Helper()
	ref, err := name.NewTag(r.host + "/app:" + tag)
	if err != nil {
		r.Fatal(err)
	}
	return ref
}

// size returns the size of all layers from first on.
func (r *rig) size(first int) (sum int64) {
	r.Helper()
	manifest, err := r.image.Manifest()
	if err != nil {
		r.Fatal(err)
	}
	for _, layer := range manifest.Layers[first:] {
		sum += layer.Size
	}
	return sum
}

func (r *rig) wants(ref, platform string, want int64) {
	r.Helper()
	if got, err := r.PullSize(r.Context(), ref, platform); err != nil || got != want {
		r.Errorf("PullSize(%s, %q) = %d, %v, want %d", ref, platform, got, err, want)
	}
}

func TestPullSize(t *testing.T) {
	r := newRig(t)
	r.wants(r.host+"/app:one", "", r.size(0))
	r.wants(r.host+"/app:many", "linux/arm64", r.size(0))
	digest, err := r.image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r.wants(r.host+"/app@"+digest.String(), "", r.size(0))
}

// Layers that the Engine has already do not count.
func TestPullSizeSkipsExistingLayers(t *testing.T) {
	r := newRig(t)
	config, err := r.image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	chain := strings.TrimPrefix(config.RootFS.DiffIDs[0].String(), "sha256:") // the lowest layer's chain ID is its digest
	dir := filepath.Join(r.root, "image", "layerdb", "sha256", chain)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "size"), []byte("1000"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.wants(r.host+"/app:one", "", r.size(1))
}

// containerd's image store has no files that tell its layers; Docker tells those of each
// image.
func TestPullSizeSkipsLayersOfContainerdsStore(t *testing.T) {
	r := newRig(t)
	r.docker.UseContainerdStore()
	config, err := r.image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var layers []string
	for _, id := range config.RootFS.DiffIDs {
		layers = append(layers, id.String())
	}
	r.wants(r.host+"/app:one", "", r.size(0))
	r.docker.AddImage("other:1", enginetest.Image{Layers: []string{layers[1]}})
	r.wants(r.host+"/app:one", "", r.size(0)) // the same content above another layer is another layer
	r.docker.AddImage("base:1", enginetest.Image{Layers: []string{layers[0], "sha256:of-another-image"}})
	r.wants(r.host+"/app:one", "", r.size(1))
	r.docker.AddImage("old:1", enginetest.Image{Layers: layers[:2]})
	r.wants(r.host+"/app:one", "", r.size(2))
	r.docker.AddImage("new:1", enginetest.Image{Layers: layers})
	r.wants(r.host+"/app:one", "", 0)
}

// An image is not pulled where its manifest claims what cannot be.
func TestPullSizeDistrustsManifest(t *testing.T) {
	r := newRig(t)
	for _, tag := range append(slices.Collect(maps.Keys(lies())), "crowd") {
		if size, err := r.PullSize(t.Context(), r.host+"/app:"+tag, ""); !errors.Is(err, engine.ErrUntrusted) {
			t.Errorf("PullSize of %s = %d, %v, want %v", tag, size, err, engine.ErrUntrusted)
		}
	}
}

// No number of layers makes the sum of their sizes overflow.
func TestSizeDoesNotOverflow(t *testing.T) {
	i := image{sizes: slices.Repeat([]int64{maxLayer}, 20_000)}
	if size := i.size(0); size != maxLayer {
		t.Errorf("size of 20,000 layers of %d bytes = %d, want at most that of one", int64(maxLayer), size)
	}
}

func TestPullSizeFailsForUnknownImage(t *testing.T) {
	r := newRig(t)
	for ref, platform := range map[string]string{
		r.host + "/app:none":   "",
		r.host + "/app:many":   "linux/riscv64",
		"127.0.0.1:1/app:one":  "",
		"Not a reference":      "",
		r.host + "/app:one ":   "",
		r.host + "/other:many": "linux/s390x",
	} {
		got, err := r.PullSize(t.Context(), ref, platform)
		if err == nil {
			t.Errorf("PullSize(%q, %q) = %d, want an error", ref, platform, got)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

// A registry cannot have this program read without end, or count beyond all disks.
func TestAnswersAreCapped(t *testing.T) {
	body := &cappedBody{ReadCloser: io.NopCloser(zeros{}), left: maxAnswer}
	n, err := io.Copy(io.Discard, body)
	if !errors.Is(err, engine.ErrUntrusted) || n != maxAnswer+1 {
		t.Errorf("an endless answer: %d bytes were read, %v", n, err)
	}
	body = &cappedBody{ReadCloser: io.NopCloser(io.LimitReader(zeros{}, maxAnswer)), left: maxAnswer}
	if n, err := io.Copy(io.Discard, body); err != nil || n != maxAnswer {
		t.Errorf("the longest answer: %d bytes were read, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A registry on the network cannot send this program to the metadata service or to the
// host itself. A registry on the host may have its login server there, too.
func TestRedirectsStayOutside(t *testing.T) {
	for address, refused := range map[string]bool{
		"169.254.169.254:80": true, "[fe80::1%eth0]:80": true, "127.0.0.1:2375": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "0.0.0.0:80": true,
		"[fd00:ec2::254]:80": true, "100.100.100.200:80": true, "10.0.0.1:443": false, "[2001:db8::1]:443": false,
	} {
		if err := refuseInside(address); (err != nil) != refused {
			t.Errorf("refuseInside(%s) = %v, want refused: %t", address, err, refused)
		}
	}
	inside := httptest.NewServer(http.NotFoundHandler())
	defer inside.Close()
	at := func(registry string) error {
		address, err := url.Parse(registry)
		if err != nil {
			t.Fatal(err)
		}
		transport := transport(endpoint{url: address}, engine.Info{})
		if address.Port() != "" { // the first request is to the registry
			conn, err := transport.DialContext(t.Context(), "tcp", address.Host)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		}
		conn, err := transport.DialContext(t.Context(), "tcp", strings.Replace(inside.Listener.Addr().String(), "127.0.0.1", "127.0.0.2", 1))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := at("https://registry.test"); !errors.Is(err, errInside) {
		t.Errorf("a registry on the network leads to the host: %v", err)
	}
	if err := at(inside.URL); errors.Is(err, errInside) {
		t.Errorf("a registry on the host: %v", err)
	}
}
