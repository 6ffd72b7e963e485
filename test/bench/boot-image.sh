#!/bin/sh
# A program for packaging/bake (--hook): puts a quadlet into the image that `make bench-boot` boots, with Podman, and the
# test application in its storage.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get -q -y -o Acquire::Check-Valid-Until=false update
# nftables is what netavark calls.
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

# The images of the tests leave out the wait for the network, which those of clouds have.
rm -f /etc/systemd/system/systemd-networkd-wait-online.service
systemctl --quiet enable systemd-networkd-wait-online.service
