package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// tokenServers are where the registry at an address sends a client for a token. They are asked before an image is.
func tokenServers() map[string]string {
	return map[string]string{
		"192.0.2.1:5444": "http://169.254.169.254/token",
		"192.0.2.1:5445": "http://127.0.0.1:8999/token",
		"192.0.2.1:5446": "https://registry.test:5443/redirected/token",
		"192.0.2.1:5447": "unix:///run/docker.sock",
	}
}

// challenge answers that a token is needed, from there.
func challenge(realm string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="x",scope="repository:x:pull"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// refuses answers with an error in the registry's own words.
func refuses(code int, message string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(object{"errors": []object{{"code": "DENIED" + ugly, "message": message, "detail": message}}})
	}
}

// registryAnswers are answers to the request for a manifest.
func registryAnswers() map[string]answer {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + manifestType + "\r\n"
	return map[string]answer{
		"redirect-to-metadata":       redirect("http://169.254.169.254/latest/meta-data/iam"),
		"redirect-to-ec2-by-ipv6":    redirect("http://[fd00:ec2::254]/latest/meta-data"),
		"redirect-to-loopback":       redirect("http://127.0.0.1:8999/canary"),
		"redirect-to-other-loopback": redirect("http://127.255.3.4:8999/canary"),
		"redirect-to-mapped":         redirect("http://[::ffff:127.0.0.1]:8999/canary"),
		"redirect-to-ipv6-loopback":  redirect("http://[::1]:8999/canary"),
		"redirect-to-localhost":      redirect("http://localhost:8999/canary"),
		"redirect-to-decimal":        redirect("http://2130706433:8999/canary"),
		"redirect-to-nowhere":        redirect("http://0.0.0.0:8999/canary"),
		"redirect-to-file":           redirect("file:///etc/shadow"),
		"redirect-to-itself":         func(w http.ResponseWriter, r *http.Request) { redirect(r.URL.Path)(w, r) },
		"waits-for-years": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3153600000")
			refuses(http.StatusTooManyRequests, "slow down")(w, nil)
		},
		"waits-below-nothing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "-9223372036854775808")
			refuses(http.StatusServiceUnavailable, "again")(w, nil)
		},
		"ugly-error":       refuses(http.StatusForbidden, ugly),
		"long-error":       refuses(http.StatusBadRequest, strings.Repeat("long "+ugly, 200_000)),
		"never-answers":    raw(func(ctx context.Context, _ net.Conn) { <-ctx.Done() }),
		"slow-header":      endless(ok, "X-Slow: yes\r\n", 300*time.Millisecond),
		"slow-body":        endless(ok+"\r\n", " ", 300*time.Millisecond),
		"endless-header":   endless(ok, "X-Endless: "+strings.Repeat("x", 4000)+"\r\n", 0),
		"endless-manifest": endless(ok+"\r\n", strings.Repeat(" ", 64<<10), 0),
		"endless-continue": endless("", "HTTP/1.1 100 Continue\r\n\r\n", time.Millisecond),
		"manifest-encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", manifestType)
			_, _ = w.Write(bomb(1 << 30))
		},
		"digest-header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("../", 21)+"a")
			w.Header().Set("Content-Type", manifestType)
			_, _ = io.WriteString(w, "{}")
		},
	}
}

// imageFor returns the image that attacks by this name.
func imageFor(name string) (*image, error) {
	if lie := lies()[name]; lie != nil {
		i, err := newImage(name, nil)
		if err == nil {
			lie(i)
		}
		return i, err
	}
	keys, known := configs()[name]
	if !known {
		return nil, fmt.Errorf("unknown attack %q", name)
	}
	return newImage(name, keys)
}

// serveRegistry is a registry with an image for each attack, by its name, and one at another port for each of
// [tokenServers]. It prints each request, and who asks at the addresses of the host and of its metadata service.
func serveRegistry(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	listen := flags.String("listen", "192.0.2.1:5443", "`address` to listen on")
	certificate := flags.String("certificate", "/etc/docker/registry/cert.pem", "`file` with the certificate")
	key := flags.String("key", "/etc/docker/registry/key.pem", "`file` with its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	go canary(ctx, "169.254.169.254:80", "127.0.0.1:8999", "127.255.3.4:8999", "[::1]:8999")
	var images shelf
	ended := make(chan error)
	serve := func(address string, answers http.HandlerFunc) {
		server := &http.Server{Addr: address, ReadHeaderTimeout: deadline, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(os.Stdout, "asked %s %s by %s\n", r.Method, r.URL.Path, r.UserAgent())
			answers(w, r)
		})}
		server.SetKeepAlivesEnabled(false)
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/1.1 alone, which can be hijacked
		context.AfterFunc(ctx, func() { _ = server.Close() })
		ended <- server.ListenAndServeTLS(*certificate, *key)
	}
	for address, realm := range tokenServers() {
		go serve(address, http.HandlerFunc(challenge(realm)))
	}
	go serve(*listen, images.answerPull)
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// shelf has the image that was asked for last.
type shelf struct {
	mu    sync.Mutex
	name  string
	image *image
}

// get returns the image that attacks by this name.
func (s *shelf) get(name string) (*image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == name {
		return s.image, nil
	}
	i, err := imageFor(name)
	if err == nil {
		s.name, s.image = name, i
	}
	return i, err
}

// answerPull answers a request of a pull: /v2/, /v2/ATTACK/manifests/... and /v2/ATTACK/blobs/...
func (s *shelf) answerPull(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	switch {
	case parts[1] == "redirected":
		redirect("http://169.254.169.254/token")(w, r)
		return
	case len(parts) < 5:
		return // the version of the API
	}
	if attack := registryAnswers()[parts[2]]; attack != nil {
		attack(w, r)
		return
	}
	i, err := s.get(parts[2])
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	text, kind := i.index, listType
	if text == nil {
		text, _ = json.Marshal(i.manifest)
		kind = i.manifest.MediaType
	}
	if parts[3] == "blobs" {
		kind = "application/octet-stream"
		switch parts[4] {
		case i.manifest.Config.Digest:
			text = i.config
		case i.manifest.Layers[0].Digest:
			text = i.layer
		default:
			http.NotFound(w, r)
			return
		}
	} else {
		w.Header().Set("Docker-Content-Digest", digest(text))
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
