package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	docker "github.com/docker/docker/registry"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/engine"
)

// TestEndpointsAreThoseOfTheEngine compares with the Engine's own code, which takes
// its registry client along.
func TestEndpointsAreThoseOfTheEngine(t *testing.T) {
	info := engine.Info{
		Mirrors:            []string{"https://mirror.test/", "http://10.0.0.7:5000/", "https://127.0.0.1:5001/cache/"},
		InsecureRegistries: []string{"insecure.test:5000", "bare.test", "10.1.0.0/16", "2001:db8::/32", "127.0.0.0/8", "::1/128"},
	}
	service, err := docker.NewService(docker.ServiceOptions{Mirrors: info.Mirrors, InsecureRegistries: info.InsecureRegistries})
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{
		"docker.io", "registry.test", "registry.test:5000", "insecure.test:5000", "insecure.test", "bare.test", "bare.test:5000", "localhost:5000", "localhost",
		"127.0.0.1:5000", "127.8.0.1", "10.1.2.3", "10.1.2.3:443", "10.2.0.1", "[::1]:5000", "[2001:db8::7]:5000", "[2001:db9::7]:5000", "[::ffff:10.1.0.1]:80",
	} {
		theirs, err := service.LookupPullEndpoints(domain)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, e := range theirs {
			want = append(want, fmt.Sprint(e.URL, e.Mirror, e.TLSConfig.InsecureSkipVerify, e.TLSConfig.MinVersion))
		}
		ours, err := endpoints(t.Context(), domain, info, t.TempDir())
		if err != nil {
			t.Errorf("endpoints(%s): %v", domain, err)
		}
		for _, e := range ours {
			got = append(got, fmt.Sprint(e.url, e.mirror, e.tls.InsecureSkipVerify, e.tls.MinVersion))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("endpoints(%s), -Engine +ours:\n%s", domain, diff)
		}
	}
}

func TestEndpointsHaveCertificates(t *testing.T) {
	certs := t.TempDir()
	dir := filepath.Join(certs, "registry.test:5000")
	authority, key := certificate(t)
	write(t, dir, "ca.crt", authority)
	write(t, dir, "client.cert", authority)
	write(t, dir, "client.key", key)
	write(t, dir, "README", []byte("no certificate"))
	config := func(domain string) *tls.Config {
		all, err := endpoints(t.Context(), domain, engine.Info{}, certs)
		if err != nil || len(all) != 1 {
			t.Fatalf("endpoints(%s) = %d, %v", domain, len(all), err)
		}
		return all[0].tls
	}
	if c := config("registry.test:5000"); c.RootCAs == nil || len(c.Certificates) != 1 {
		t.Errorf("TLS of the registry = %+v, want its authority and the client's certificate", c)
	}
	if c := config("other.test:5000"); c.RootCAs != nil || c.Certificates != nil {
		t.Errorf("TLS of another registry = %+v, want the system's", c)
	}
	if err := os.Remove(filepath.Join(dir, "client.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := endpoints(t.Context(), "registry.test:5000", engine.Info{}, certs); err == nil {
		t.Error("a certificate without its key is no error")
	}
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate returns a certificate and its key.
func certificate(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})
}
