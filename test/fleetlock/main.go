// Command fleetlock is a lock manager for test hosts. It loses its slots when it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dockhost/dockhost/agent/fleetlock/fakelock"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fleetlock:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:3333", "`address` to listen on")
	group := flag.String("group", "default", "`name` of the group")
	slots := flag.Int("slots", 1, "`number` of its slots")
	flag.Parse()
	server := &http.Server{
		Addr: *listen, Handler: &fakelock.Server{Slots: map[string]int{*group: *slots}}, ReadHeaderTimeout: 10 * time.Second,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
