package datasource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/backoff"
)

// platform describes a cloud with a metadata service. To add one, add a row to
// platforms.
type platform struct {
	// name is cloud-init's name of the datasource, title its name in messages.
	name, title string
	// marks say that a host is there; one is enough.
	marks []mark
	// addresses are the base URLs, which are tried in order; what follows them
	// is the same for each. {interface} stands for each network interface.
	addresses []string
	// find returns the addresses, for platforms where they differ by network.
	find func(ctx context.Context, h *host, lookup lookup) ([]string, error)
	// dial connects, for platforms that need more than a plain connection.
	dial func(ctx context.Context, dial dial, address string) (net.Conn, error)
	// token is requested before anything else.
	token *token
	// headers go with each request.
	headers map[string]string
	// answers are headers that each answer of the service has.
	answers map[string]string
	// passing are statuses that pass, besides 404, 408, 425, 429 and 5xx.
	passing []int

	meta     meta
	userData userData
	// declaration is the path of the container declaration in the meta-data.
	declaration string
	// watch waits for a change of user data, on services that support it.
	watch *watch
}

// token is what a service hands out to those who can make a PUT request.
type token struct {
	path string
	// ttlHeader says how many seconds the token shall be valid.
	ttlHeader, ttl string
	// header carries the token in each other request.
	header string
	// old is true for a service that may have no tokens (Options.IMDSv1).
	old bool
}

// meta describes the meta-data: where it is, and its names. A name is a path in
// it, such as "compute.vmId". Of several paths, divided by "|", the first one
// that exists counts.
type meta struct {
	path string
	// read fetches the meta-data as JSON, as YAML, or as EC2's tree.
	read func(s *session, ctx context.Context, path string) (map[string]any, error)
	// accept is the header Accept of its requests.
	accept string

	id, hostname, zone, region string
	// instance derives the instance-id from the id, if they differ.
	instance func(h *host, id string) string
	// wholeHostname keeps the domain in the host name for templates.
	wholeHostname bool
	// regionOf derives the region from the zone, if the meta-data has no region.
	regionOf func(zone string) string
	// cloud is cloud-init's name of the cloud, "" for the datasource's name in
	// lower case.
	cloud string

	// below is the key in "ds" that holds the meta-data for templates.
	below string
	// only limits the meta-data for templates to names.
	only bool
	// names are additional names that cloud-init gives to values.
	names map[string]string
}

// userData says where the user data is.
type userData struct {
	// path is its address. A missing document there is empty user data.
	path string
	// in is its path in the meta-data, which makes a request unnecessary.
	in string
	// decode unpacks user data, for platforms that pack it.
	decode func([]byte) ([]byte, error)
	// encoding is the path in the meta-data of the name of its encoding.
	encoding string
}

// watch is a request that the service answers when something below path changes.
type watch struct {
	path string
	// below is the path in the meta-data of the values at path.
	below string
	// keys are the keys that hold the user data.
	keys []string
}

type (
	// dial opens a TCP connection from a local port, or from any port if it is 0.
	dial func(ctx context.Context, port int, address string) (net.Conn, error)
	// lookup returns the addresses of a name in DNS.
	lookup func(ctx context.Context, name string) ([]string, error)
)

// networkKinds are the metadata services.
func networkKinds() []kind {
	var all []kind
	for _, p := range platforms() {
		all = append(all, kind{name: p.name, detect: p.detect, open: func(o Options, h *host) Source {
			return p.open(o, h, realNetwork())
		}})
	}
	return all
}

// network is how services are reached. Tests replace it.
type network struct {
	dial   dial
	lookup lookup
	// interfaces returns the names of the interfaces that may lead to a service.
	interfaces func(h *host) []string
	// request bounds a request with its answer, poll the wait for a change.
	request, poll time.Duration
	// first and longest are the waits between tries.
	first, longest time.Duration
}

func realNetwork() network {
	return network{
		dial:       dialTCP,
		lookup:     net.DefaultResolver.LookupHost,
		interfaces: interfaces,
		request:    15 * time.Second,
		poll:       time.Minute,
		first:      time.Second,
		longest:    30 * time.Second,
	}
}

func dialTCP(ctx context.Context, port int, address string) (net.Conn, error) {
	// A short timeout: the service is on the host's own link, or at another address.
	dialer := net.Dialer{Timeout: 3 * time.Second}
	if port != 0 {
		dialer.LocalAddr = &net.TCPAddr{Port: port}
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// interfaces returns the network interfaces that are devices. A host with many
// containers has many others.
func interfaces(h *host) []string {
	var names []string
	devices, _ := filepath.Glob(filepath.Join(h.root, "/sys/class/net/*/device"))
	for _, device := range devices {
		names = append(names, filepath.Base(filepath.Dir(device)))
	}
	return names
}

// service is the metadata service of the platform that the host is on.
type service struct {
	platform
	network

	options Options
	host    *host
	// how is the mark that identified the platform, "" if the name was given.
	how string

	mu sync.Mutex
	// base is the address that answered last.
	base string
	// seen is the last result of Read, in the form that a watch returns.
	seen [sha256.Size]byte
}

func (p platform) open(o Options, h *host, n network) Source {
	how, _ := p.detect(h)
	s := &service{platform: p, network: n, options: o, host: h, how: how}
	if p.watch != nil {
		return watched{s}
	}
	return s
}

func (s *service) Name() string { return s.name }

// Read asks until the service answers or ctx ends. It returns permanent errors at
// once.
func (s *service) Read(ctx context.Context) (*cloudinit.UserData, error) {
	wait := backoff.Backoff{Next: s.first, Cap: s.longest}
	what := ""
	defer func() {
		if what != "" {
			s.say("")
		}
	}()
	for {
		data, where, err := s.try(ctx)
		if err == nil {
			return data, nil
		}
		service := fmt.Sprintf("metadata service of %s at %s", s.title, where)
		switch {
		case ctx.Err() != nil && what == "": // in the middle of the first try
			return nil, fmt.Errorf("%s: %w", service, context.Cause(ctx))
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case !passes(err):
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		what = fmt.Sprintf("waiting for the %s: %s", service, reason(err))
		s.say(what)
		if cause := wait.Wait(ctx); cause != nil {
			return nil, fmt.Errorf("%s: %w", what, cause)
		}
	}
}

func (s *service) say(what string) {
	if s.options.Waiting != nil {
		s.options.Waiting(what)
	}
}

// try asks each address once, beginning with the one that answered last. It
// returns the first error: those of the alternatives say less.
func (s *service) try(ctx context.Context) (*cloudinit.UserData, string, error) {
	bases, err := s.bases(ctx)
	if err != nil {
		return nil, "its router", err
	}
	var first error
	for _, base := range bases {
		data, err := s.readFrom(ctx, base)
		if err == nil {
			return data, "", nil
		}
		if !passes(err) || ctx.Err() != nil {
			return nil, hostOf(base), err
		}
		if first == nil {
			first = err
		}
	}
	return nil, hostOf(bases[0]), first
}

func (s *service) bases(ctx context.Context) ([]string, error) {
	if s.find != nil {
		return s.find(ctx, s.host, s.lookup)
	}
	var bases []string
	for _, address := range s.addresses {
		if !strings.Contains(address, "{interface}") {
			bases = append(bases, address)
			continue
		}
		for _, name := range s.interfaces(s.host) {
			bases = append(bases, strings.ReplaceAll(address, "{interface}", url.PathEscape(name)))
		}
	}
	if i := slices.Index(bases, s.answered()); i > 0 {
		bases = slices.Insert(slices.Delete(bases, i, i+1), 0, s.answered())
	}
	return bases, nil
}

func (s *service) answered() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// readFrom reads everything from one address. Nothing of a try that failed is
// kept for the next one: a service that is just starting may change its mind.
func (s *service) readFrom(ctx context.Context, base string) (*cloudinit.UserData, error) {
	session := s.session(base)
	defer session.close()
	if err := session.begin(ctx); err != nil {
		return nil, err
	}
	doc, err := s.meta.read(session, ctx, s.meta.path)
	if err != nil {
		return nil, err
	}
	id := text(look(doc, s.meta.id))
	if id == "" {
		return nil, refusal("its meta-data has no " + s.meta.id)
	}
	if s.meta.instance != nil {
		id = s.meta.instance(s.host, id)
	}
	raw, err := session.userData(ctx, doc)
	if err != nil {
		return nil, err
	}
	data := &cloudinit.UserData{
		Datasource: s.name,
		How:        s.how,
		InstanceID: id,
		Path:       base + s.userData.path,
		Raw:        raw,
	}
	if declaration := look(doc, s.declaration); declaration != nil {
		data.Declaration = []byte(text(declaration))
	}
	seen := s.digest(doc)
	data.Metadata = s.metadata(doc, id, base)
	s.mu.Lock()
	s.base, s.seen = base, seen
	s.mu.Unlock()
	return data, nil
}

// userData returns the user data, unpacked where the platform packs it.
func (s *session) userData(ctx context.Context, doc map[string]any) ([]byte, error) {
	u := s.platform.userData
	var raw []byte
	if u.in != "" {
		raw = []byte(text(look(doc, u.in)))
	} else {
		var err error
		raw, err = s.get(ctx, u.path)
		if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusNotFound {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	decode := u.decode
	switch encoding := text(look(doc, u.encoding)); encoding {
	case "":
	case "base64":
		decode = base64Always
	default:
		return nil, refusal(fmt.Sprintf("%s is %q, and only base64 is known", u.encoding, encoding))
	}
	if decode == nil || len(raw) == 0 {
		return raw, nil
	}
	return decode(raw)
}
