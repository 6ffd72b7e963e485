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

// checkHealth asks the server at target, which healthURL understands, for its health. It returns nil for a healthy one.
func checkHealth(ctx context.Context, target string) error {
	address, err := healthURL(target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
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

// healthURL makes a URL of "8080", ":8080", "host:8080" or a whole URL; the path is /healthz unless one is given.
func healthURL(target string) (string, error) {
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
		return "", fmt.Errorf("health check address: %w", err)
	}
	if address.Path == "" {
		address.Path = "/healthz"
	}
	return address.String(), nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
