// Command receiver is an https server on test hosts, that receives webhooks or stands in for
// a registry that refuses to answer. It writes each request to a file, as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const maxBody = 1 << 20

// receiver answers the first requests with a status, and all others with 200.
type receiver struct {
	refusals   int
	status     int
	retryAfter string

	mu   sync.Mutex
	file *os.File
}

// request is a line of the file.
type request struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Signature string `json:"signature"`
	Body      string `json:"body"`
	Status    int    `json:"status"`
}

// ServeHTTP implements [http.Handler].
func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := request{Method: r.Method, Path: r.URL.Path, Signature: r.Header.Get("Dockhost-Signature"), Body: string(body), Status: http.StatusOK}
	if s.refusals > 0 {
		s.refusals--
		line.Status = s.status
		w.Header().Set("Retry-After", s.retryAfter)
	}
	if err := json.NewEncoder(s.file).Encode(line); err != nil {
		line.Status = http.StatusInternalServerError
	}
	w.WriteHeader(line.Status)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s receiver
	listen := flag.String("listen", ":8443", "`address` to listen on")
	certificate := flag.String("certificate", "/etc/docker/registry/cert.pem", "`file` with the certificate")
	key := flag.String("key", "/etc/docker/registry/key.pem", "`file` with its key")
	path := flag.String("requests", "/run/requests.json", "`file` for the requests")
	flag.IntVar(&s.refusals, "refusals", 0, "`number` of requests to refuse")
	flag.IntVar(&s.status, "status", http.StatusServiceUnavailable, "`status` of the refusals")
	flag.StringVar(&s.retryAfter, "retry-after", "1", "Retry-After of the refusals, in `seconds`")
	flag.Parse()
	var err error
	if s.file, err = os.Create(*path); err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, Handler: &s, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS(*certificate, *key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
