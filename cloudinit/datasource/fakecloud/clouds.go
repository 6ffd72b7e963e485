package fakecloud

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ec2 is IMDSv2: docs.aws.amazon.com, instancedata-data-retrieval. A request
// for a token that came through a proxy, and one without a lifetime, is
// refused; without a good token there is 401.
func (s *Service) ec2(w http.ResponseWriter, r *http.Request) {
	const lifetime = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	if r.URL.Path == "/latest/api/token" {
		s.serveToken(w, r, lifetime)
		return
	}
	token := r.Header.Get("X-Aws-Ec2-Metadata-Token")
	if s.Tokens && (token != "" || s.Strict) && !s.good(token) {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	instance, ok := s.instance(w)
	if !ok {
		return
	}
	serveTree(w, r, "/latest", instance, map[string]string{
		"ami-id":                        "ami-1",
		"ami-launch-index":              "0",
		"block-device-mapping/ami":      "/dev/xvda",
		"hostname":                      instance.Hostname,
		"iam/info":                      `{"Code": "Success"}`,
		"iam/security-credentials/role": `{"SecretAccessKey": "hunter2canary"}`,
		"instance-id":                   instance.ID,
		"local-hostname":                instance.Hostname,
		"placement/availability-zone":   "eu-west-1a",
		"placement/region":              "eu-west-1",
		"public-keys/0=mine":            "ssh-ed25519 AAAA mine",
		"security-groups":               "one\ntwo",
	})
}

// serveToken hands out tokens for 1 second to 6 hours.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request, header string) {
	lifetime, err := strconv.Atoi(r.Header.Get(header))
	switch {
	case !s.Tokens:
		http.Error(w, "", http.StatusNotFound)
	case r.Method != http.MethodPut:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case forwarded(r):
		http.Error(w, "", http.StatusForbidden)
	case err != nil || lifetime < 1 || lifetime > 21600:
		http.Error(w, "", http.StatusBadRequest)
	default:
		w.Header().Set(header, strconv.Itoa(lifetime))
		writeText(w, s.issue(time.Duration(lifetime)*time.Second))
	}
}

// serveTree serves user-data and meta-data below a version, as EC2 does. A
// directory is answered with the names in it, with or without a slash.
func serveTree(w http.ResponseWriter, r *http.Request, version string, instance Instance, tree map[string]string) {
	at, ok := strings.CutPrefix(r.URL.Path, version+"/")
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "", http.StatusMethodNotAllowed)
		return
	case ok && at == "user-data" && instance.UserData != nil:
		write(w, instance.UserData)
		return
	case !ok || !strings.HasPrefix(at, "meta-data/"):
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	at = strings.TrimPrefix(at, "meta-data/")
	if number, ok := strings.CutSuffix(at, "/openssh-key"); ok {
		for path, value := range tree {
			if strings.HasPrefix(path, number+"=") {
				writeText(w, value)
				return
			}
		}
	}
	if value, ok := tree[at]; ok {
		writeText(w, value)
		return
	}
	if names := list(tree, at); len(names) > 0 {
		writeText(w, strings.Join(names, "\n"))
		return
	}
	http.Error(w, "not found", http.StatusNotFound)
}

// list is what a directory of EC2's tree has.
func list(tree map[string]string, directory string) []string {
	if directory != "" && !strings.HasSuffix(directory, "/") {
		directory += "/"
	}
	have := map[string]bool{}
	for path := range tree {
		if below, ok := strings.CutPrefix(path, directory); ok {
			name, _, deeper := strings.Cut(below, "/")
			if deeper {
				name += "/"
			}
			have[name] = true
		}
	}
	return sorted(have)
}

// azure is IMDS: learn.microsoft.com, instance-metadata-service. Without its
// header, without a version, or through a proxy, the request is bad.
func (s *Service) azure(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata") != "true" || forwarded(r) || r.URL.Query().Get("api-version") < "2017-04-02" {
		w.WriteHeader(http.StatusBadRequest)
		writeText(w, `{"error": "Bad request. Required metadata header not specified"}`)
		return
	}
	instance, ok := s.instance(w)
	if !ok {
		return
	}
	if r.URL.Path != "/metadata/instance" {
		http.Error(w, `{"error": "Not found"}`, http.StatusNotFound)
		return
	}
	compute := map[string]any{
		"vmId": instance.ID, "location": "westeurope", "platformFaultDomain": "0", "name": "vm",
		"osProfile": map[string]any{"computerName": instance.Hostname},
	}
	// Older versions lack userData.
	if r.URL.Query().Get("api-version") >= "2021-01-01" {
		compute["userData"] = base64.StdEncoding.EncodeToString(instance.UserData)
	}
	writeJSON(w, map[string]any{"compute": compute, "network": map[string]any{}})
}

// openStack is nova's (docs.openstack.org/nova, metadata), behind neutron.
func (s *Service) openStack(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(i Instance) map[string]any {
		return map[string]any{
			"/openstack":                       "2012-08-10\n2018-08-27\nlatest",
			"/openstack/latest/meta_data.json": map[string]any{"uuid": i.ID, "hostname": i.Hostname, "availability_zone": "nova", "launch_index": 0, "meta": map[string]any{"role": "web"}},
			"/openstack/latest/user_data":      i.UserData,
		}
	})
}

// digitalOcean has docs.digitalocean.com/reference/api/metadata.
func (s *Service) digitalOcean(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(i Instance) map[string]any {
		doc := map[string]any{"droplet_id": json.Number(i.ID), "hostname": i.Hostname, "region": "ams3", "public_keys": []string{}, "interfaces": map[string]any{}}
		if i.UserData != nil {
			doc["user_data"] = string(i.UserData)
		}
		return map[string]any{"/metadata/v1.json": doc, "/metadata/v1/user-data": i.UserData}
	})
}

// hetzner has docs.hetzner.cloud, server metadata: YAML.
func (s *Service) hetzner(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(i Instance) map[string]any {
		return map[string]any{
			"/hetzner/v1/metadata": []byte("availability-zone: hel1-dc2\nhostname: " + i.Hostname + "\ninstance-id: " + i.ID +
				"\npublic-keys: [ssh-ed25519 AAAA]\nregion: eu-central\nvendor_data: |\n  #cloud-config\n"),
			"/hetzner/v1/userdata": i.UserData,
		}
	})
}

// vultr has www.vultr.com/metadata. The token is no secret; what the service
// answers without it is not known, and is taken to be a refusal.
func (s *Service) vultr(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata-Token") != "cloudinit" {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	s.serve(w, r, func(i Instance) map[string]any {
		return map[string]any{"/v1.json": map[string]any{
			"instance-v2-id": i.ID, "instanceid": "1", "hostname": i.Hostname, "region": map[string]any{"regioncode": "AMS"},
			"user-data": string(i.UserData), "vendor-data": []string{}, "interfaces": []string{},
		}}
	})
}

// oracle has docs.oracle.com, gettingmetadata: version 2 wants its header and
// no proxy. Version 1 may be turned off, then it is not there (Strict).
func (s *Service) oracle(w http.ResponseWriter, r *http.Request) {
	two := strings.HasPrefix(r.URL.Path, "/opc/v2/")
	if two && (r.Header.Get("Authorization") != "Bearer Oracle" || forwarded(r)) {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	if two && !s.Tokens || !two && s.Strict {
		http.Error(w, "", http.StatusNotFound)
		return
	}
	s.serve(w, r, func(i Instance) map[string]any {
		metadata := map[string]any{"ssh_authorized_keys": "ssh-ed25519 AAAA"}
		if i.UserData != nil {
			metadata["user_data"] = base64.StdEncoding.EncodeToString(i.UserData)
		}
		doc := map[string]any{"id": i.ID, "hostname": i.Hostname, "displayName": "mine", "ociAdName": "phx-ad-3", "metadata": metadata}
		return map[string]any{"/opc/v2/instance/": doc, "/opc/v1/instance/": doc}
	})
}

// scaleway has www.scaleway.com/en/developers/api/instance/user-data: user
// data is for root alone, who can connect from a port below 1024.
func (s *Service) scaleway(w http.ResponseWriter, r *http.Request) {
	_, port, _ := net.SplitHostPort(r.RemoteAddr)
	if number, err := strconv.Atoi(port); strings.HasPrefix(r.URL.Path, "/user_data") && (err != nil || number >= 1024) {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	s.serve(w, r, func(i Instance) map[string]any {
		return map[string]any{
			"/conf":                 map[string]any{"id": i.ID, "hostname": i.Hostname, "name": i.Hostname, "tags": []string{}, "ssh_public_keys": []string{}},
			"/user_data/cloud-init": i.UserData,
		}
	})
}

// exoscale has community.exoscale.com, metadata: EC2's tree.
func (s *Service) exoscale(w http.ResponseWriter, r *http.Request) {
	if instance, ok := s.instance(w); ok {
		serveTree(w, r, "/1.0", instance, map[string]string{
			"availability-zone": "ch-gva-2", "instance-id": instance.ID, "local-hostname": instance.Hostname, "vm-id": instance.ID,
		})
	}
}

// upCloud has developers.upcloud.com, metadata service.
func (s *Service) upCloud(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(i Instance) map[string]any {
		return map[string]any{
			"/metadata/v1.json": map[string]any{
				"cloud_name": "upcloud", "instance_id": i.ID, "hostname": i.Hostname, "region": "de-fra1",
				"public_keys": []string{}, "network": map[string]any{}, "user_data": string(i.UserData), "vendor_data": "",
			},
			"/metadata/v1/user_data": i.UserData,
		}
	})
}

// akamai has techdocs.akamai.com/cloud-computing, metadata service API.
func (s *Service) akamai(w http.ResponseWriter, r *http.Request) {
	const lifetime = "Metadata-Token-Expiry-Seconds"
	if r.URL.Path == "/v1/token" {
		s.serveToken(w, r, lifetime)
		return
	}
	if !s.good(r.Header.Get("Metadata-Token")) {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	s.serve(w, r, func(i Instance) map[string]any {
		routes := map[string]any{"/v1/instance": map[string]any{"id": json.Number(i.ID), "label": i.Hostname, "region": "us-iad", "tags": []string{}}}
		if i.UserData != nil {
			routes["/v1/user-data"] = base64.StdEncoding.EncodeToString(i.UserData)
		}
		return routes
	})
}

// aliYun has www.alibabacloud.com/help/ecs, view instance metadata, in its
// security hardening mode.
func (s *Service) aliYun(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/latest/api/token" {
		s.serveToken(w, r, "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds")
		return
	}
	token := r.Header.Get("X-Aliyun-Ecs-Metadata-Token")
	if (token != "" || s.Strict) && !s.good(token) {
		http.Error(w, "", http.StatusForbidden)
		return
	}
	if instance, ok := s.instance(w); ok {
		serveTree(w, r, "/2016-01-01", instance, map[string]string{ //nolint:gosec // the secret key is made up
			"dns-conf/nameservers": "100.100.2.136\r\n100.100.2.138", "hostname": instance.Hostname,
			"instance-id": instance.ID, "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-i",
			"ram/security-credentials/role": `{"AccessKeySecret": "hunter2canary"}`,
		})
	}
}

// cloudStack has docs.cloudstack.apache.org, user data: EC2's tree on the
// virtual router.
func (s *Service) cloudStack(w http.ResponseWriter, r *http.Request) {
	if instance, ok := s.instance(w); ok {
		serveTree(w, r, "/latest", instance, map[string]string{
			"availability-zone": "zone1", "instance-id": instance.ID, "local-hostname": instance.Hostname,
			"public-keys": "", "service-offering": "small", "vm-id": instance.ID,
		})
	}
}

// serve answers GET with what is at each path: bytes as they are, anything
// else as JSON. What is nil is not there.
func (s *Service) serve(w http.ResponseWriter, r *http.Request, routes func(Instance) map[string]any) {
	if r.Method != http.MethodGet {
		http.Error(w, "", http.StatusMethodNotAllowed)
		return
	}
	instance, ok := s.instance(w)
	if !ok {
		return
	}
	switch value := routes(instance)[r.URL.Path].(type) {
	case nil:
		http.Error(w, "not found", http.StatusNotFound)
	case []byte:
		if value == nil {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		write(w, value)
	case string:
		writeText(w, value)
	default:
		writeJSON(w, value)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
