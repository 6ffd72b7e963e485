// Command metadata is a cloud's metadata service for test hosts. It reads its
// files at each request, so that a test can change the user data.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/dockhost/dockhost/cloudinit/datasource/fakecloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "metadata:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	platform := flag.String("platform", "Ec2", "cloud-init's `name` of the cloud")
	listen := flag.String("listen", "169.254.169.254:80", "`address` to listen on")
	userData := flag.String("user-data", "", "`file` with the user data; without the file the instance has none")
	declaration := flag.String("declaration", "", "`file` with GCE's gce-container-declaration")
	id := flag.String("instance-id", "4711", "`id` of the instance")
	hostname := flag.String("hostname", "host", "`name` of the instance")
	tokens := flag.Bool("tokens", true, "serve tokens")
	flag.Parse()

	service, err := fakecloud.New(*platform, func() (fakecloud.Instance, error) {
		instance := fakecloud.Instance{ID: *id, Hostname: *hostname}
		text, err := read(*declaration)
		if err != nil {
			return instance, err
		}
		instance.Declaration = string(text)
		instance.UserData, err = read(*userData)
		return instance, err
	})
	if err != nil {
		return err
	}
	service.Tokens = *tokens
	return service.Listen(ctx, *listen)
}

func read(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}
