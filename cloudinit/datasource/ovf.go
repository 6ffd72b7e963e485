package datasource

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// environment is an OVF environment with Azure's part. It leaves out passwords.
type environment struct {
	XMLName    xml.Name   `xml:"Environment"`
	Properties []property `xml:"PropertySection>Property"`
	Azure      *struct {
		Linux struct {
			HostName   string `xml:"HostName"`
			CustomData string `xml:"CustomData"`
		} `xml:"LinuxProvisioningConfigurationSet"`
	} `xml:"ProvisioningSection"`
}

type property struct {
	Key   string `xml:"key,attr"`
	Value string `xml:"value,attr"`
}

// parseEnvironment never quotes the text in its error.
func parseEnvironment(raw []byte) (*environment, error) {
	env := &environment{}
	if err := xml.Unmarshal(raw, env); err != nil {
		return nil, errors.New("not the XML of an OVF environment")
	}
	return env, nil
}

// environmentNames are the names that cloud-init knows for the file.
func environmentNames() []string { return []string{"ovf-env.xml", "ovf_env.xml"} }

// ovf is the OVF datasource: an environment on a disc, from VMware's host, or
// in the seed directory.
type ovf struct {
	options Options
	host    *host
}

const ovfSeed = "/var/lib/cloud/seed/ovf"

func detectOVF(h *host) (string, bool) {
	if isAzure(h) { // its disc belongs to the Azure datasource
		return "", false
	}
	if _, path, err := firstOf(directory{h.root, ovfSeed}, environmentNames()...); err == nil {
		return path, true
	}
	for _, d := range ovfDiscs(h) {
		if _, path, err := firstOf(d, environmentNames()...); err == nil {
			return path, true
		}
	}
	return "DMI product name " + h.dmi("product_name"), isVMware(h)
}

// ovfDiscs are the discs in optical drives that belong to no other datasource.
func ovfDiscs(h *host) []*disc {
	var discs []*disc
	named := h.labelled("OVF-TRANSPORT", "ovf-transport", "OVFENV", "ovfenv", "OVF ENV", "ovf env", "OVF_ENV")
	for _, d := range append(named, h.opticals()...) {
		known := false
		for _, label := range d.labels {
			label = strings.ToLower(label)
			known = known || label == "cidata" || label == "config-2" || strings.HasPrefix(label, "rd_rdfe")
		}
		if !known {
			discs = append(discs, d)
		}
	}
	return discs
}

func (o ovf) Name() string { return "OVF" }

func (o ovf) Read(ctx context.Context) (*cloudinit.UserData, error) {
	for _, place := range o.places() {
		raw, path, err := firstOf(place, environmentNames()...)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return o.userData(ctx, raw, path)
	}
	if !isVMware(o.host) {
		return nil, ErrNotFound
	}
	raw, err := guestInfo(ctx, o.host, "guestinfo.ovfEnv")
	switch {
	case err != nil:
		return nil, err
	case len(raw) == 0:
		return nil, ErrNotFound
	}
	return o.userData(ctx, raw, "guestinfo.ovfEnv")
}

func (o ovf) places() []files {
	places := []files{directory{o.host.root, ovfSeed}}
	for _, d := range ovfDiscs(o.host) {
		places = append(places, d)
	}
	return places
}

func (o ovf) userData(ctx context.Context, raw []byte, path string) (*cloudinit.UserData, error) {
	env, err := parseEnvironment(raw)
	if err != nil {
		return nil, errors.New(path + ": " + err.Error())
	}
	if len(env.Properties) == 0 {
		return nil, notFound(path + " has no properties")
	}
	m := metaData{}
	data := &cloudinit.UserData{Datasource: "OVF", Path: path}
	for _, p := range env.Properties {
		switch p.Key {
		case "seedfrom", "local-hostname", "instance-id":
			m[p.Key] = p.Value
		case "hostname":
			m["local-hostname"] = p.Value
		case "user-data":
			data.Raw = maybeBase64(p.Value)
		}
	}
	if from := m.text("seedfrom"); from != "" {
		s, path, err := noCloud(o).from(ctx, from)
		if err != nil {
			return nil, err
		}
		m = m.under(s.meta)
		if len(data.Raw) == 0 {
			data.Raw, data.Path = s.user, path
		}
	}
	data.InstanceID = m.instanceID("iid-dsovf")
	data.Metadata = m.values(o.host, cloudNames{name: "ovf", cloud: "ovf", sub: "ovf (" + path + ")"})
	return data, nil
}

// maybeBase64 decodes base64, and returns other text unchanged.
func maybeBase64(text string) []byte {
	if raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		return raw
	}
	return []byte(text)
}
