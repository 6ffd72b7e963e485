package engine

import (
	"context"
	"errors"
	"maps"

	"github.com/docker/docker/api/types/versions"
)

// fit makes a request one that an older Engine takes, or says what it cannot
// do: what it does not know, it would drop without a word.
func (c *Client) fit(ctx context.Context, req CreateRequest) (CreateRequest, error) {
	mac := macAddress(req)
	if mac == "" && len(req.HostConfig.Annotations) == 0 {
		return req, nil
	}
	c.api.NegotiateAPIVersion(ctx)
	version := c.api.ClientVersion()
	if len(req.HostConfig.Annotations) > 0 && versions.LessThan(version, "1.43") {
		return req, errors.New("this Docker Engine knows no annotations (they need Docker 24.0 or later)")
	}
	if mac != "" && versions.LessThan(version, "1.44") {
		// Before Docker 25.0, the address stood in the container's own settings.
		config, networking := *req.Config, *req.Networking
		config.MacAddress = mac //nolint:staticcheck // deprecated, but all that an older Engine knows
		name := req.HostConfig.NetworkMode.NetworkName()
		endpoint := *networking.EndpointsConfig[name]
		endpoint.MacAddress = ""
		networking.EndpointsConfig = maps.Clone(networking.EndpointsConfig)
		networking.EndpointsConfig[name] = &endpoint
		req.Config, req.Networking = &config, &networking
	}
	return req, nil
}

// macAddress is the address that is asked for in the container's main network.
func macAddress(req CreateRequest) string {
	if req.Networking == nil {
		return ""
	}
	if endpoint := req.Networking.EndpointsConfig[req.HostConfig.NetworkMode.NetworkName()]; endpoint != nil {
		return endpoint.MacAddress
	}
	return ""
}
