package datasource

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
)

// azureTag is the asset tag of all machines on Azure.
const azureTag = "7783-7084-3265-9085-8269-3286-77"

// azureKept is where cloud-init and waagent keep the files of the disc, which
// Azure removes after provisioning.
const azureKept = "/var/lib/waagent"

// azureDisc is the part of the Azure datasource on the provisioning disc:
// customData. Without customData, userData of the metadata service counts.
type azureDisc struct{ host *host }

func isAzure(h *host) bool { return h.dmi("chassis_asset_tag") == azureTag }

func detectAzureDisc(h *host) (string, bool) {
	return "DMI chassis asset tag " + azureTag, isAzure(h) && len(azurePlaces(h)) > 0
}

// azurePlaces are the discs, and the files kept from one. An image of a live host
// has such files too, so they count only with the instance-id of this machine.
func azurePlaces(h *host) []files {
	var places []files
	for _, d := range azureDiscs(h) {
		places = append(places, d)
	}
	id, uuid := h.line(fetchedID), h.uuid("")
	kept := directory{h.root, azureKept}
	if id != "" && (strings.EqualFold(id, uuid) || strings.EqualFold(id, swapUUID(uuid))) && h.exists(kept.path("ovf-env.xml")) {
		places = append(places, kept)
	}
	return places
}

// azureDiscs are those in optical drives, and those with the label.
func azureDiscs(h *host) []*disc {
	return h.discsThat(func(d *disc) bool {
		for _, label := range d.labels {
			if strings.HasPrefix(label, "rd_rdfe") {
				return true
			}
		}
		return strings.HasPrefix(d.device, "/dev/sr")
	})
}

func (a azureDisc) Name() string { return "Azure" }

func (a azureDisc) Read(context.Context) (*cloudinit.UserData, error) {
	var incomplete []string
	if !isAzure(a.host) {
		return nil, ErrNotFound
	}
	for _, place := range azurePlaces(a.host) {
		raw, path, err := firstOf(place, environmentNames()...)
		if err != nil { // a disc of UDF alone, or another disc in the drive
			incomplete = append(incomplete, err.Error())
			continue
		}
		env, err := parseEnvironment(raw)
		if err != nil {
			return nil, errors.New(path + ": " + err.Error())
		}
		if env.Azure == nil {
			incomplete = append(incomplete, path+" has no ProvisioningSection")
			continue
		}
		return a.userData(env, path)
	}
	return nil, notFound(incomplete...)
}

func (a azureDisc) userData(env *environment, path string) (*cloudinit.UserData, error) {
	linux := env.Azure.Linux
	user, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(linux.CustomData), ""))
	if err != nil {
		return nil, errors.New(path + ": CustomData is not base64")
	}
	if len(user) == 0 {
		return nil, notFound(path + " has no CustomData")
	}
	m := metaData{"instance-id": azureInstanceID(a.host)}
	if linux.HostName != "" {
		m["local-hostname"] = linux.HostName
	}
	return &cloudinit.UserData{
		Datasource: "Azure", InstanceID: m.instanceID("iid-AZURE-NODE"), Path: path, Raw: user,
		Metadata: m.values(a.host, cloudNames{name: "azure", cloud: "azure", sub: "config-disk (" + strings.TrimSuffix(strings.TrimSuffix(path, ":/ovf-env.xml"), "/ovf-env.xml") + ")"}),
	}, nil
}

// azureInstanceID is the UUID of SMBIOS. A machine that stored the same UUID in
// the other byte order or in capitals keeps the stored form
// (cloudinit/sources/DataSourceAzure.py, _iid).
func azureInstanceID(h *host) string {
	uuid := h.uuid("")
	previous := h.line(fetchedID)
	if previous != "" && (strings.EqualFold(previous, uuid) || strings.EqualFold(previous, swapUUID(uuid))) {
		return previous
	}
	return uuid
}

// azureInstanceOf is the instance-id of a machine with this vmId: that of the
// provisioning disc, where it is the same UUID by either byte order.
func azureInstanceOf(h *host, vmID string) string {
	if uuid := h.uuid(""); strings.EqualFold(vmID, uuid) || strings.EqualFold(vmID, swapUUID(uuid)) {
		return azureInstanceID(h)
	}
	return vmID
}

// swapUUID returns a UUID with the bytes of its first three fields in reverse,
// and anything else as it is.
func swapUUID(uuid string) string {
	fields := strings.Split(uuid, "-")
	if len(fields) != 5 || len(fields[0]) != 8 || len(fields[1]) != 4 || len(fields[2]) != 4 {
		return uuid
	}
	for i := range 3 {
		var swapped strings.Builder
		for at := len(fields[i]) - 2; at >= 0; at -= 2 {
			swapped.WriteString(fields[i][at : at+2])
		}
		fields[i] = swapped.String()
	}
	return strings.Join(fields, "-")
}
