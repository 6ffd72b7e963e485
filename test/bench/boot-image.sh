#!/bin/sh
# A hook for packaging/bake (--hook): installs Podman in the image that `make bench-boot` boots, with a quadlet and the
# image of the test application.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get -q -y -o Acquire::Check-Valid-Until=false update
# netavark runs nftables.
apt-get -q -y --no-install-recommends install podman crun conmon netavark nftables
systemctl --quiet disable netavark-dhcp-proxy.socket podman.socket podman-restart.service podman-auto-update.timer podman-clean-transient.service
podman load -i /app.tar
rm /app.tar

cat >/etc/containers/systemd/quadlet.container <<-END
	[Container]
	Image=localhost:5000/app:1
	ContainerName=app
	PublishPort=8080:8080
	HealthCmd=none
	Exec=-first-answer
	[Service]
	Restart=always
	[Install]
	WantedBy=multi-user.target
END

# The disk images of the tests do not wait for the network. Those of clouds do.
rm -f /etc/systemd/system/systemd-networkd-wait-online.service
systemctl --quiet enable systemd-networkd-wait-online.service
