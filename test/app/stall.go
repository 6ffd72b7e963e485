package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// stallOptions is the command line of "stall".
type stallOptions struct {
	listen   string
	upstream *url.URL
	roots    *x509.CertPool
	after    int64
}

func parseStallOptions(stderr io.Writer, args []string) (stallOptions, error) {
	flags := flag.NewFlagSet("dockhost-test-app stall", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", ":5001", "`address` to serve plain HTTP on")
	upstream := flags.String("upstream", "https://localhost:5000", "`URL` of the real registry")
	ca := flags.String("ca", "", "PEM `file` of the authority that signed the registry's certificate")
	after := flags.String("after", "1MB", "number of `bytes` of each blob that pass")
	if err := flags.Parse(args); err != nil {
		return stallOptions{}, err
	}
	opts := stallOptions{listen: *listen}
	var err error
	if opts.upstream, err = url.Parse(*upstream); err != nil {
		return stallOptions{}, fmt.Errorf("upstream: %w", err)
	}
	if opts.after, err = parseBytes(*after); err != nil {
		return stallOptions{}, fmt.Errorf("after: %w", err)
	}
	opts.roots, err = readRoots(*ca)
	return opts, err
}

// readRoots returns nil, the system's authorities, if file is "".
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%q holds no PEM certificate", file)
	}
	return roots, nil
}

// parseBytes reads a number of bytes, plain or with a decimal unit: 500, 20kB, 1MB, 2GB.
func parseBytes(s string) (int64, error) {
	number, factor := s, int64(1)
	for unit, size := range map[string]int64{"kB": 1e3, "MB": 1e6, "GB": 1e9} {
		if cut, ok := strings.CutSuffix(s, unit); ok {
			number, factor = cut, size
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number of bytes (such as 500, 20kB, 1MB, 2GB)", s)
	}
	return n * factor, nil
}

// runStall serves the registry proxy until a signal comes.
func runStall(ctx context.Context, machine host, args []string) (int, error) {
	opts, err := parseStallOptions(machine.stderr, args)
	if err != nil {
		return 2, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	web := &http.Server{Addr: opts.listen, Handler: newStallProxy(opts), ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe() }()
	select {
	case err := <-failed:
		return 1, fmt.Errorf("serve %q: %w", opts.listen, err)
	case <-machine.signals:
	case <-ctx.Done():
	}
	return 0, web.Close() // a graceful shutdown would wait for stalled downloads
}

// newStallProxy returns a proxy of the registry that passes only the first bytes of each blob.
func newStallProxy(opts stallOptions) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(opts.upstream) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: opts.roots, MinVersion: tls.VersionTLS12}},
		FlushInterval: -1, // at once, so that no byte waits in a buffer before the stall
		ModifyResponse: func(response *http.Response) error {
			if isBlob(response.Request) && response.StatusCode < http.StatusMultipleChoices {
				response.Body = &stallingBody{ctx: response.Request.Context(), body: response.Body, left: opts.after}
			}
			return nil
		},
	}
}

// isBlob reports whether the request is GET /v2/<name>/blobs/<digest>, the download of a layer or of an image's
// configuration (OCI distribution specification, "Pulling blobs").
func isBlob(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v2/") && strings.Contains(r.URL.Path, "/blobs/")
}

// stallingBody returns the first bytes of a body, and then blocks until the client disconnects.
type stallingBody struct {
	ctx  context.Context //nolint:containedctx // io.Reader has no parameter for it
	body io.ReadCloser
	left int64
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return b.atEnd(p)
	}
	n, err := b.body.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// atEnd reports whether the body ends here. A body with further bytes stalls.
func (b *stallingBody) atEnd(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if n, err := io.ReadFull(b.body, p[:1]); n == 0 && errors.Is(err, io.EOF) {
		return 0, io.EOF
	}
	<-b.ctx.Done()
	return 0, context.Cause(b.ctx)
}

func (b *stallingBody) Close() error { return b.body.Close() }
