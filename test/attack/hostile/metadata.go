package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/dockhost/dockhost/cloudinit/datasource/fakecloud"
)

// answer is how a metadata service answers one request.
type answer func(w http.ResponseWriter, r *http.Request)

// raw answers with bytes that need not be HTTP, on the connection itself.
func raw(write func(ctx context.Context, conn net.Conn)) answer {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		write(r.Context(), conn)
	}
}

// enough is where an endless answer ends, in bytes: Docker has no limits of its own.
const enough = 256 << 20

// endless writes a text until the client has had enough.
func endless(head, text string, pause time.Duration) answer {
	return raw(func(_ context.Context, conn net.Conn) {
		n, err := io.WriteString(conn, head)
		for written := n; err == nil && written < enough; written += n {
			n, err = io.WriteString(conn, text)
			time.Sleep(pause)
		}
	})
}

func redirect(to string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// bomb is a gzip stream of zeros that is a thousandth of this size, a multiple of 1 MiB. It is made at once, so that who
// waits for it does not give up: a stream may consist of many.
func bomb(size int) []byte {
	const part = 1 << 20
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, part))
	_ = w.Close()
	return bytes.Repeat(packed.Bytes(), size/part)
}

func metadataAnswers() map[string]answer {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	return map[string]answer{
		"redirect-to-file":      redirect("file:///etc/shadow"),
		"redirect-to-loopback":  redirect("http://127.0.0.1:8999/canary"),
		"redirect-to-elsewhere": redirect("http://192.0.2.1:8999/canary"),
		"never-answers":         raw(func(ctx context.Context, _ net.Conn) { <-ctx.Done() }),
		"slow-header":           endless(ok, "X-Slow: yes\r\n", 300*time.Millisecond),
		"slow-body":             endless(ok+"\r\n#cloud-config\n", "#", 300*time.Millisecond),
		"endless-header":        endless(ok, "X-Endless: "+strings.Repeat("x", 4000)+"\r\n", 0),
		"endless-body":          endless(ok+"\r\n#cloud-config\n", strings.Repeat("#", 64<<10), 0),
		"endless-continue":      endless("", "HTTP/1.1 100 Continue\r\n\r\n", time.Millisecond),
		"endless-chunks":        endless(ok+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n#\r\n", 0),
		"chunk-extensions":      endless(ok+"Transfer-Encoding: chunked\r\n\r\n1", ";"+strings.Repeat("e", 4000), 0),
		"not-http":              endless("\x00\xff"+ugly, ugly, time.Millisecond),
		"huge-length":           endless(ok+"Content-Length: 9223372036854775807\r\n\r\n", "#", 100*time.Millisecond),
		"negative-length":       endless(ok+"Content-Length: -1\r\n\r\n", "#", 100*time.Millisecond),
		"two-lengths":           endless(ok+"Content-Length: 4\r\nContent-Length: 5\r\n\r\n", "#", 100*time.Millisecond),
		"closes":                raw(func(context.Context, net.Conn) {}),
		"waits-for-years": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3153600000")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"encoded-bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb(1 << 30))
		},
		"names": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, "../../../../etc/passwd/\n../\n./\n//\n%s\ninstance-id/\n%s", ugly, strings.Repeat("a/\n", 20000))
		},
	}
}

// serveMetadata is the metadata service of a cloud. While the file -mode has the name of an attack, it answers so the
// requests below -path.
func serveMetadata(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("metadata", flag.ContinueOnError)
	listen := flags.String("listen", "169.254.169.254:80", "`address` to listen on")
	platform := flags.String("platform", "Hetzner", "cloud-init's `name` of the cloud")
	mode := flags.String("mode", "", "`file` with the name of the attack, and with the path that it concerns")
	userData := flags.String("user-data", "", "`file` with the user data")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cloud, err := fakecloud.New(*platform, func() (fakecloud.Instance, error) {
		text, err := os.ReadFile(*userData)
		return fakecloud.Instance{ID: "4711", Hostname: "host", UserData: text}, err
	})
	if err != nil {
		return err
	}
	answers := metadataAnswers()
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: deadline, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := os.ReadFile(*mode)
		name, path, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
		if attack := answers[name]; attack != nil && strings.HasPrefix(r.URL.Path, path) {
			_, _ = fmt.Fprintln(os.Stdout, "attack", name)
			attack(w, r)
			return
		}
		cloud.ServeHTTP(w, r)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go canary(ctx, "127.0.0.1:8999", "192.0.2.1:8999")
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// canary prints who asks at addresses that nobody was told to ask.
func canary(ctx context.Context, addresses ...string) {
	for _, address := range addresses {
		server := &http.Server{Addr: address, ReadHeaderTimeout: deadline, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(os.Stdout, "canary %s %s by %s\n", r.Host, r.URL.Path, r.UserAgent())
			_, _ = io.WriteString(w, `{"token":"canary","schemaVersion":2}`)
		})}
		context.AfterFunc(ctx, func() { _ = server.Close() })
		go func() { _ = server.ListenAndServe() }()
	}
}
