package datasource

import "net/http"

// Addresses that many clouds share.
const (
	linkLocal = "http://169.254.169.254"
	// linkLocal6 is OpenStack's address for IPv6.
	linkLocal6 = "http://[fe80::a9fe:a9fe%25{interface}]"
)

// platforms has a row for each cloud with a metadata service. Addresses,
// marks and names are those of cloud-init 25.1 (cloudinit/sources) where no
// other source is named.
func platforms() []platform {
	return []platform{
		{
			// docs.aws.amazon.com: instancedata-data-retrieval, identify_ec2_instances. One UUID in
			// 4096 begins with ec2 by chance. The last clouds have EC2's interface, without tokens.
			name: "Ec2", title: "EC2",
			marks: []mark{
				{dmi: "sys_vendor", is: "Amazon EC2"},
				{file: "/sys/hypervisor/uuid", is: "ec2*"},
				{dmi: "product_uuid", is: "ec2*", vendors: []string{"Xen", ""}},
				{dmi: "product_uuid", is: "????2?ec*", vendors: []string{"Xen", ""}}, // the other byte order
				{dmi: "product_serial", is: "ec2*", vendors: []string{"Xen", ""}},
				{dmi: "product_serial", is: "*.brightbox.com"},
				{dmi: "chassis_asset_tag", is: "*.zstack.io"},
				{dmi: "sys_vendor", is: "e24cloud"},
				{dmi: "product_name", is: "3DS Outscale VM"},
			},
			addresses: []string{linkLocal, "http://[fd00:ec2::254]"},
			token: &token{
				path:      "/latest/api/token",
				ttlHeader: "X-aws-ec2-metadata-token-ttl-seconds", ttl: "300",
				header: "X-aws-ec2-metadata-token",
				old:    true,
			},
			meta: meta{
				path: "/latest/meta-data/", read: (*session).tree,
				id: "instance-id", hostname: "local-hostname",
				zone: "placement.availability-zone", region: "placement.region", regionOf: withoutLetter,
				cloud: "aws", below: "meta_data",
			},
			userData: userData{path: "/latest/user-data", decode: base64Maybe},
		},
		{
			// cloud.google.com/compute/docs/metadata: the address before the name, which needs DNS.
			name: "GCE", title: "GCE",
			marks: []mark{
				{dmi: "product_name", is: "Google Compute Engine"},
				{dmi: "product_name", is: "Google"},
				{dmi: "product_serial", is: "GoogleCloud-*"},
			},
			addresses: []string{linkLocal, "http://metadata.google.internal"},
			headers:   map[string]string{"Metadata-Flavor": "Google"},
			answers:   map[string]string{"Metadata-Flavor": "Google"},
			meta: meta{
				path: "/computeMetadata/v1/instance/?recursive=true&alt=json", read: (*session).json,
				id: "id", hostname: "hostname", zone: "zone", regionOf: withoutLastPart,
				below: "meta_data", only: true,
				names: map[string]string{"instance-id": "id", "local-hostname": "hostname", "availability-zone": "zone"},
			},
			userData: userData{
				path: "/computeMetadata/v1/instance/attributes/user-data",
				in:   "attributes.user-data", encoding: "attributes.user-data-encoding",
			},
			declaration: "attributes.gce-container-declaration",
			watch: &watch{
				path: "/computeMetadata/v1/instance/attributes/", below: "attributes",
				keys: []string{"user-data", "user-data-encoding", "gce-container-declaration"},
			},
		},
		{
			// learn.microsoft.com/azure/virtual-machines/instance-metadata-service: 410 while it is moved.
			name: "Azure", title: "Azure",
			marks:     []mark{{dmi: "chassis_asset_tag", is: "7783-7084-3265-9085-8269-3286-77"}},
			addresses: []string{linkLocal},
			headers:   map[string]string{"Metadata": "true"},
			passing:   []int{http.StatusGone},
			meta: meta{
				path: "/metadata/instance?api-version=2021-08-01&extended=true", read: (*session).json,
				id: "compute.vmId", instance: azureInstanceOf, hostname: "compute.osProfile.computerName",
				zone: "compute.platformFaultDomain", region: "compute.location",
				below: "metadata.imds",
			},
			userData: userData{path: "/metadata/instance/compute/userData", in: "compute.userData", decode: base64Always},
		},
		{
			name: "OpenStack", title: "OpenStack",
			marks: []mark{
				{dmi: "product_name", is: "OpenStack Nova"},
				{dmi: "product_name", is: "OpenStack Compute"},
				{dmi: "chassis_asset_tag", is: "OpenStack Nova"},
				{dmi: "chassis_asset_tag", is: "OpenStack Compute"},
				{dmi: "chassis_asset_tag", is: "OpenTelekomCloud"},
				{dmi: "chassis_asset_tag", is: "SAP CCloud VM"},
				{dmi: "chassis_asset_tag", is: "HUAWEICLOUD"},
				{dmi: "chassis_asset_tag", is: "Samsung Cloud Platform"},
			},
			addresses: []string{linkLocal, linkLocal6},
			meta: meta{
				path: "/openstack/latest/meta_data.json", read: (*session).json,
				id: "uuid", hostname: "hostname", zone: "availability_zone", region: "region",
				below: "meta_data",
				names: map[string]string{"instance-id": "uuid", "local-hostname": "hostname"},
			},
			userData: userData{path: "/openstack/latest/user_data"},
		},
		{
			name: "DigitalOcean", title: "DigitalOcean",
			marks:     []mark{{dmi: "sys_vendor", is: "DigitalOcean"}},
			addresses: []string{linkLocal},
			meta: meta{
				path: "/metadata/v1.json", read: (*session).json,
				id: "droplet_id", hostname: "hostname", zone: "region",
				below: "meta_data", only: true,
				names: map[string]string{
					"instance-id": "droplet_id", "local-hostname": "hostname", "interfaces": "interfaces",
					"public-keys": "public_keys", "availability_zone": "region",
				},
			},
			userData: userData{path: "/metadata/v1/user-data", in: "user_data"},
		},
		{
			name: "Hetzner", title: "Hetzner Cloud",
			marks:     []mark{{dmi: "sys_vendor", is: "Hetzner"}},
			addresses: []string{linkLocal, linkLocal6},
			meta: meta{
				path: "/hetzner/v1/metadata", read: (*session).yaml,
				id: "instance-id", hostname: "hostname",
				below: "meta_data", only: true,
				names: map[string]string{
					"instance-id": "instance-id", "local-hostname": "hostname",
					"network-config": "network-config", "public-keys": "public-keys",
				},
			},
			userData: userData{path: "/hetzner/v1/userdata", decode: base64Maybe},
		},
		{
			// Bare metal has no mark in DMI but a word on the kernel's command line.
			name: "Vultr", title: "Vultr",
			marks:     []mark{{dmi: "sys_vendor", is: "Vultr"}, {word: "vultr"}, {file: "/etc/vultr"}},
			addresses: []string{linkLocal},
			headers:   map[string]string{"Metadata-Token": "cloudinit"},
			meta: meta{
				path: "/v1.json", read: (*session).json,
				id: "instance-v2-id", hostname: "hostname", region: "region.countrycode|region.regioncode",
				below: "meta_data",
				names: map[string]string{
					"instance-id": "instance-v2-id", "local-hostname": "hostname",
					"region": "region.countrycode|region.regioncode",
				},
			},
			userData: userData{path: "/user-data/user-data", in: "user-data"},
		},
		{
			// docs.oracle.com: gettingmetadata. Version 1 takes no notice of the header.
			name: "Oracle", title: "Oracle Cloud",
			marks: []mark{{dmi: "chassis_asset_tag", is: "OracleCloud.com"}},
			addresses: []string{
				linkLocal + "/opc/v2", "http://[fd00:c1::a9fe:a9fe]/opc/v2",
				linkLocal + "/opc/v1", "http://[fd00:c1::a9fe:a9fe]/opc/v1",
			},
			headers: map[string]string{"Authorization": "Bearer Oracle"},
			meta: meta{
				path: "/instance/", read: (*session).json,
				id: "id", hostname: "hostname", zone: "ociAdName",
			},
			userData: userData{path: "/instance/metadata/user_data", in: "metadata.user_data", decode: base64Always},
		},
		{
			// Only clients on a port below 1024, which needs root, get the user data.
			name: "Scaleway", title: "Scaleway",
			marks:     []mark{{dmi: "sys_vendor", is: "Scaleway"}, {word: "scaleway"}, {file: "/var/run/scaleway"}},
			addresses: []string{"http://169.254.42.42", "http://[fd00:42::42]"},
			dial:      dialPrivileged,
			meta: meta{
				path: "/conf?format=json", read: (*session).json,
				id: "id", hostname: "hostname", wholeHostname: true,
				below: "meta_data",
			},
			userData: userData{path: "/user_data/cloud-init"},
		},
		{
			name: "Exoscale", title: "Exoscale",
			marks:     []mark{{dmi: "product_name", is: "Exoscale*"}},
			addresses: []string{linkLocal},
			meta: meta{
				path: "/1.0/meta-data/", read: (*session).tree,
				id: "instance-id", hostname: "local-hostname", zone: "availability-zone",
				below: "meta_data",
			},
			userData: userData{path: "/1.0/user-data"},
		},
		{
			name: "UpCloud", title: "UpCloud",
			marks:     []mark{{dmi: "sys_vendor", is: "UpCloud"}},
			addresses: []string{linkLocal},
			meta: meta{
				path: "/metadata/v1.json", read: (*session).json,
				id: "instance_id", hostname: "hostname", zone: "region",
				below: "meta_data", only: true,
				names: map[string]string{
					"instance-id": "instance_id", "local-hostname": "hostname", "network": "network",
					"public-keys": "public_keys", "availability_zone": "region",
				},
			},
			userData: userData{path: "/metadata/v1/user_data", in: "user_data"},
		},
		{
			name: "Akamai", title: "Akamai",
			marks:     []mark{{dmi: "sys_vendor", is: "Akamai"}, {dmi: "sys_vendor", is: "Linode"}},
			addresses: []string{linkLocal, "http://[fd00:a9fe:a9fe::1]"},
			token:     &token{path: "/v1/token", ttlHeader: "Metadata-Token-Expiry-Seconds", ttl: "300", header: "Metadata-Token"},
			meta: meta{
				path: "/v1/instance", read: (*session).json, accept: "application/json",
				id: "id", region: "region",
				below: "meta_data", names: map[string]string{"instance-id": "id"},
			},
			userData: userData{path: "/v1/user-data", decode: base64Always},
		},
		{
			name: "AliYun", title: "Alibaba Cloud",
			marks:     []mark{{dmi: "product_name", is: "Alibaba Cloud ECS"}},
			addresses: []string{"http://100.100.100.200"},
			token: &token{
				path:      "/latest/api/token",
				ttlHeader: "X-aliyun-ecs-metadata-token-ttl-seconds", ttl: "300",
				header: "X-aliyun-ecs-metadata-token",
			},
			meta: meta{
				path: "/2016-01-01/meta-data/", read: (*session).tree,
				id: "instance-id", hostname: "hostname", wholeHostname: true,
				below: "meta_data",
			},
			userData: userData{path: "/2016-01-01/user-data"},
		},
		{
			// The service runs on the virtual router of the instance's network.
			name: "CloudStack", title: "CloudStack",
			marks: []mark{{dmi: "product_name", is: "CloudStack*"}},
			find:  findRouter,
			meta: meta{
				path: "/latest/meta-data/", read: (*session).tree,
				id: "instance-id", hostname: "local-hostname", zone: "availability-zone",
				below: "meta_data",
			},
			userData: userData{path: "/latest/user-data"},
		},
	}
}
