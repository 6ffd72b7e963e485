// Metadata is the metadata service of a cloud, for test hosts. It reads its
// files at each request, so that a test can change what the user gave.
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
	platform := flag.String("platform", "Ec2", "whose service it is, by cloud-init's name")
	listen := flag.String("listen", "169.254.169.254:80", "the address")
	userData := flag.String("user-data", "", "a file with the user data; there is none while it is not there")
	declaration := flag.String("declaration", "", "a file with GCE's gce-container-declaration")
	id := flag.String("instance-id", "4711", "the instance's id")
	hostname := flag.String("hostname", "host", "the instance's name")
	tokens := flag.Bool("tokens", true, "hand out tokens")
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
