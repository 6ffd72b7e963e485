// Package fakecloud has, for tests, the metadata services of clouds, made
// after the clouds' own documents and not after package datasource: each
// refuses what the real one refuses.
package fakecloud

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Instance is the instance that the service describes.
type Instance struct {
	ID, Hostname string
	// UserData is the instance's user data, or nil.
	UserData []byte
	// Encoding and Declaration are GCE's attributes user-data-encoding and
	// gce-container-declaration; "" leaves them out.
	Encoding, Declaration string
	// Attributes are GCE's others.
	Attributes map[string]string
}

// Fault is what goes wrong with requests.
type Fault struct {
	// First is how many requests are affected, all if it is 0.
	First int
	// Path is a prefix of their paths.
	Path string
	// Status, unless 0, is the answer.
	Status int
	// Stall never answers. Reset closes the connection in the answer. Huge
	// answers without end. Redirect answers with that address.
	Stall, Reset, Huge bool
	Redirect           string
}

// Service is the metadata service of one platform.
type Service struct {
	// Strict has the service want a token where that is a choice (EC2, Alibaba
	// Cloud), which it is by default.
	Strict bool
	// Tokens says that the service has tokens; EC2's clones do not.
	Tokens bool

	platform string
	read     func() (Instance, error)

	mu       sync.Mutex
	tokens   map[string]time.Time
	fault    *Fault
	affected int
	requests []string
	changed  chan struct{}
}

// Names are the platforms, by cloud-init's names.
func Names() []string {
	var names []string
	for name := range services() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type handler func(*Service, http.ResponseWriter, *http.Request)

func services() map[string]handler {
	return map[string]handler{
		"Ec2": (*Service).ec2, "GCE": (*Service).gce, "Azure": (*Service).azure, "OpenStack": (*Service).openStack,
		"DigitalOcean": (*Service).digitalOcean, "Hetzner": (*Service).hetzner, "Vultr": (*Service).vultr,
		"Oracle": (*Service).oracle, "Scaleway": (*Service).scaleway, "Exoscale": (*Service).exoscale,
		"UpCloud": (*Service).upCloud, "Akamai": (*Service).akamai, "AliYun": (*Service).aliYun,
		"CloudStack": (*Service).cloudStack,
	}
}

// New returns the service of a platform, by any case of its name. It asks
// read for the instance at each request.
func New(platform string, read func() (Instance, error)) (*Service, error) {
	for _, name := range Names() {
		if strings.EqualFold(name, platform) {
			return &Service{
				Strict: true, Tokens: true, platform: name, read: read,
				tokens: make(map[string]time.Time), changed: make(chan struct{}),
			}, nil
		}
	}
	return nil, fmt.Errorf("unknown platform %q (known: %s)", platform, strings.Join(Names(), ", "))
}

// Fail has requests fail from now on; nil has none fail any more.
func (s *Service) Fail(fault *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.affected = fault, 0
}

// Requests are those that came, "GET /path?query".
func (s *Service) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Expire has all tokens be out of date.
func (s *Service) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Changed has who waits for a change look again.
func (s *Service) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// ServeHTTP answers, or does what goes wrong.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := s.faultFor(r); f != nil {
		f.serve(w, r)
		return
	}
	services()[s.platform](s, w, r)
}

func (s *Service) faultFor(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	f := s.fault
	if f == nil || !strings.HasPrefix(r.URL.Path, f.Path) || f.First > 0 && s.affected >= f.First {
		return nil
	}
	s.affected++
	return f
}

func (f *Fault) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.Stall:
		<-r.Context().Done()
	case f.Reset:
		reset(w)
	case f.Huge:
		// All that it may be: enough zero bytes are a JSON document, too.
		w.Header().Set("Metadata-Flavor", "Google")
		chunk := make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = ' '
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	case f.Redirect != "":
		http.Redirect(w, r, f.Redirect, http.StatusFound)
	default:
		http.Error(w, "it does not work", f.Status)
	}
}

// reset closes the connection in the middle of an answer, with an RST.
func reset(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 100\r\n\r\n{")
	_ = buffered.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Listen serves at an address until ctx ends.
func (s *Service) Listen(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: s, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// issue makes a token that is good for that long.
func (s *Service) issue(lifetime time.Duration) string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	token := hex.EncodeToString(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = time.Now().Add(lifetime)
	return token
}

func (s *Service) good(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.tokens[token])
}

// instance is the instance, or an answer of its own.
func (s *Service) instance(w http.ResponseWriter) (Instance, bool) {
	instance, err := s.read()
	if err != nil {
		http.Error(w, "no instance", http.StatusInternalServerError)
		return instance, false
	}
	return instance, true
}

func forwarded(r *http.Request) bool { return r.Header.Get("X-Forwarded-For") != "" }

func tag(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

func write(w http.ResponseWriter, raw []byte) { _, _ = w.Write(raw) }

func writeText(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) }
