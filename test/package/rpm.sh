#!/usr/bin/env bash
# Installs, upgrades, downgrades and removes the packages by rpm, with their scripts, in a root with busybox and a
# systemctl that only records its arguments. It installs rpm and busybox-static if they are missing.
#
#   rpm.sh PREVIOUS.rpm CURRENT.rpm
set -euo pipefail

say() { echo "rpm: $*" >&2; }

die() {
	say "$*"
	exit 1
}

ensure_tools() {
	command -v rpm >/dev/null && [ -e /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 && return
	say "installing rpm and busybox-static"
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends rpm busybox-static >/dev/null
}

make_root() {
	local name
	mkdir -p "$root"/{bin,usr/bin,dev,etc,run,tmp,var/lib}
	touch "$root/dev/null"
	cp /bin/busybox "$root/bin"
	for name in sh grep sed rm rmdir readlink cut sort basename; do ln -s busybox "$root/bin/$name"; done
	for name in systemctl systemd-sysusers update-alternatives; do
		printf '#!/bin/sh\necho "%s $*" >>/asked\n' "$name" >"$root/usr/bin/$name"
		chmod +x "$root/usr/bin/$name"
	done
}

# Docker and systemd are missing, as in an image build.
transaction() { rpm --force-debian --root "$root" --dbpath /var/lib/rpm --nodeps "$@"; }

# asked LINE... checks the commands that the scripts have run since the last call.
asked() {
	printf '%s\n' "$@" | diff -u - "$root/asked" || die "the scripts ran other commands than expected"
	rm "$root/asked"
}

is_well() {
	transaction -V dockhost || die "rpm -V finds changed files"
	grep -q '"dockhost"' "$root/etc/docker/daemon.json" || die "the runtime is not registered"
}

[ "$#" = 2 ] || die "arguments are missing: rpm.sh PREVIOUS.rpm CURRENT.rpm"
ensure_tools
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make_root

transaction -i "$1"
asked 'systemd-sysusers dockhost.conf' 'systemctl --no-reload --quiet preset dockhost.socket dockhost.service'
is_well
transaction -U "$2"
asked 'systemd-sysusers dockhost.conf'
is_well
transaction -U --oldpackage "$1"
asked 'systemd-sysusers dockhost.conf'
is_well
transaction -e dockhost
asked 'systemctl --no-reload --quiet disable dockhost.socket dockhost.service' \
	'update-alternatives --remove systemd-docker /usr/libexec/dockhost/systemd-docker'
left=$(find "$root" -name '*dockhost*' ! -path "$root/var/lib/rpm/*")
[ -z "$left" ] || die "the removal left $left"
say "$(basename "$1") and $(basename "$2") install, upgrade, downgrade and remove"
