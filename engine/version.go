package engine

import (
	"context"
	"errors"
	"maps"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
)

// fit adapts a request to an older Engine. It returns the networks to which the
// container is connected after it is created. The error says what the Engine does not
// support and would silently ignore.
func (c *Client) fit(ctx context.Context, req CreateRequest) (CreateRequest, map[string]*network.EndpointSettings, error) {
	mac := macAddress(req)
	if mac == "" && len(req.HostConfig.Annotations) == 0 && !isSpecial(req.Networking) {
		return req, nil, nil
	}
	c.api().NegotiateAPIVersion(ctx)
	version := c.api().ClientVersion()
	if len(req.HostConfig.Annotations) > 0 && versions.LessThan(version, "1.43") {
		return req, nil, errors.New("this Docker Engine does not support annotations (they need Docker 24.0 or later)")
	}
	req, others, err := mainNetwork(req, version)
	if err != nil {
		return req, nil, err
	}
	if mac != "" && versions.LessThan(version, "1.44") {
		// Before Docker 25.0, the address was part of the container's configuration.
		config, networking := *req.Config, *req.Networking
		config.MacAddress = mac //nolint:staticcheck // deprecated, but the only way with an older Engine
		name := req.HostConfig.NetworkMode.NetworkName()
		endpoint := *networking.EndpointsConfig[name]
		endpoint.MacAddress = ""
		networking.EndpointsConfig = maps.Clone(networking.EndpointsConfig)
		networking.EndpointsConfig[name] = &endpoint
		req.Config, req.Networking = &config, &networking
	}
	return req, others, nil
}

// isSpecial reports whether networks need a check of the Engine's version.
func isSpecial(networking *network.NetworkingConfig) bool {
	if networking == nil {
		return false
	}
	for _, endpoint := range networking.EndpointsConfig {
		if endpoint.GwPriority != 0 || len(networking.EndpointsConfig) > 1 {
			return true
		}
	}
	return false
}

// macAddress returns the address that a request sets in the container's main network.
func macAddress(req CreateRequest) string {
	if req.Networking == nil {
		return ""
	}
	if endpoint := req.Networking.EndpointsConfig[req.HostConfig.NetworkMode.NetworkName()]; endpoint != nil {
		return endpoint.MacAddress
	}
	return ""
}
