package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	configtypes "github.com/docker/cli/cli/config/types"
)

const (
	// googleMetadata is the address of Google Cloud's metadata server. It works before
	// names can be resolved.
	googleMetadata = "http://169.254.169.254"
	// googleToken is the path of the token for the instance's default service
	// account.
	googleToken = "/computeMetadata/v1/instance/service-accounts/default/token"
	// googleUser is the username for such a token.
	googleUser = "oauth2accesstoken"

	identityTimeout = 10 * time.Second
)

// identity returns the login of the instance itself: on Google Cloud, the token of the
// default service account. An instance without a service account has no login and
// can only pull public images.
func (c *Client) identity(ctx context.Context, cloud string) (configtypes.AuthConfig, error) {
	if cloud != "gce" {
		return configtypes.AuthConfig{}, fmt.Errorf("unknown identity %q", cloud)
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	token, err := c.googleToken(ctx)
	if err != nil {
		return configtypes.AuthConfig{}, fmt.Errorf("get the service account's token from Google's metadata server: %w", err)
	}
	if token == "" {
		return configtypes.AuthConfig{}, nil
	}
	return configtypes.AuthConfig{Username: googleUser, Password: token}, nil
}

// googleToken returns the token, "" if the instance has no service account.
func (c *Client) googleToken(ctx context.Context) (string, error) {
	const flavor = "Metadata-Flavor"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metadata+googleToken, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set(flavor, "Google")
	// No proxy and no redirects: only the metadata server may answer.
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	switch {
	case response.Header.Get(flavor) != "Google":
		return "", errors.New("the answer does not come from Google")
	case response.StatusCode == http.StatusNotFound:
		return "", nil
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the server answered %s", response.Status)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer) != nil || answer.Token == "" {
		return "", errors.New("the answer contains no token")
	}
	return answer.Token, nil
}
