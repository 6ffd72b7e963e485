package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const checkTimeout = 5 * time.Second

// ask sends a request to the server at target (see serverURL). It returns nil if the status of the answer is 200.
func ask(ctx context.Context, method, target, path string) error {
	address, err := serverURL(target, path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, nil) // #nosec G704 -- it asks whom it is told to
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request) // #nosec G704 -- as above
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// serverURL returns the URL for "8080", ":8080", "host:8080" or a URL. It adds the path unless target has one.
func serverURL(target, path string) (string, error) {
	switch {
	case isPort(target):
		target = "http://127.0.0.1:" + target
	case strings.HasPrefix(target, ":"):
		target = "http://127.0.0.1" + target
	case !strings.Contains(target, "://"):
		target = "http://" + target
	}
	address, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("address of the server: %w", err)
	}
	if address.Path == "" {
		address.Path = path
	}
	return address.String(), nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
