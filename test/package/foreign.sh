#!/usr/bin/env bash
# Runs the programs of a package for another CPU, under qemu-user: installs the deb in a file system of that architecture,
# checks and shows user data, places a container by dockhost-runtime, and removes the package. No container runs.
#
#   foreign.sh DEB
#
# It needs root, and installs mmdebstrap and qemu if they are missing.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP

say() { echo "package: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# shellcheck source=test/lab/images.sh
source "$TOP/test/lab/images.sh" # for the machine's Debian mirror
# shellcheck source=test/lab/foreign.sh
source "$TOP/test/lab/foreign.sh"

readonly SUITE=trixie
# What the scripts of the package call, and runc, which dockhost-runtime executes.
readonly PACKAGES=base-files,dash,coreutils,diffutils,dpkg,findutils,grep,init-system-helpers,libc-bin,perl-base,sed,tar,systemd,runc
readonly ID=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# extract DIR ARCH unpacks PACKAGES without running any of their scripts, which would take minutes.
extract() {
	local uri=${ARCHIVE% *} keyring=${ARCHIVE#* }
	mmdebstrap --architectures="$2" --variant=extract --include="$PACKAGES" --dpkgopt=force-unsafe-io \
		--aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' \
		"$SUITE" "$1" "deb [signed-by=$keyring] $uri $SUITE main" >"$scratch/mmdebstrap.log" 2>&1 ||
		{ tail -n 20 "$scratch/mmdebstrap.log" >&2 && die "mmdebstrap failed, see above"; }
}

# inside COMMAND... runs a program of the file system.
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }

# has TEXT PATTERN NAME
has() { grep -qE -- "$2" <<<"$1" || die "$3: want $2 in this output: $1"; }

check_install() {
	cp "$deb" "$root/dockhost.deb"
	# Its dependencies are unpacked, which dpkg does not know.
	inside dpkg --force-depends -i /dockhost.deb >"$scratch/dpkg.log" 2>&1 ||
		{ cat "$scratch/dpkg.log" >&2 && die "the package cannot be installed, see above"; }
	has "$(inside dpkg-query -W -f "\${Status}" dockhost)" '^install ok installed$' dpkg-query
	[ -L "$root/etc/systemd/system/sockets.target.wants/dockhost.socket" ] || die "dockhost.socket is not enabled"
	has "$(cat "$root/etc/docker/daemon.json")" '/usr/libexec/dockhost/dockhost-runtime' daemon.json
}

check_user_data() {
	local version
	version=$(inside dpkg-query -W -f "\${Version}" dockhost)
	has "$(inside dockhostctl version)" "${version%%[+~-]*}" 'dockhostctl version'
	cat >"$root/user-data" <<-'END'
		#cloud-config
		dockhost:
		  containers:
		    web:
		      image: registry.example.com/web:1
		      mem_limit: 64m
	END
	inside dockhostctl validate /user-data >/dev/null || die "validate refuses correct user data"
	has "$(inside dockhostctl render /user-data)" 'registry\.example\.com/web:1' render
	sed -i 's/mem_limit: 64m/mem_limit: 64q/' "$root/user-data"
	if inside dockhostctl validate /user-data >"$scratch/problems" 2>&1; then die "validate accepts mem_limit: 64q"; fi
	has "$(cat "$scratch/problems")" '^/user-data:6:.*mem_limit' validate
}

# check_runtime creates a container in the unit dockhost@web.service, of which only the cgroup exists. In place of runc
# runs a program that prints its arguments and the configuration.
check_runtime() {
	local unit=/sys/fs/cgroup/system.slice/dockhost@web.service out
	has "$(inside /usr/libexec/dockhost/dockhost-runtime features)" ociVersionMax 'dockhost-runtime features'
	mkdir -p "$root/bundle" "$root/run/dockhost/runtime" "$root/$unit"
	: >"$root/sys/fs/cgroup/cgroup.controllers"
	: >"$root/$unit/cgroup.procs"
	echo '{"ociVersion": "1.0.2", "process": {"env": []}, "linux": {"cgroupsPath": "/dockhost/dockhost@web.service.slice:docker:'"$ID"'"}}' >"$root/bundle/config.json"
	printf '#!/bin/sh\necho "$@"\ncat /bundle/config.json\n' >"$root/real"
	chmod 755 "$root/real"
	create() { inside /usr/libexec/dockhost/dockhost-runtime --systemd-cgroup create --bundle /bundle "$ID" 2>&1; }
	if out=$(create); then die "dockhost-runtime creates a container without a placement"; fi
	has "$out" 'dockhost@web.service, which is not running' dockhost-runtime
	echo '{"unit": "dockhost@web.service", "cgroup_path": "/system.slice/dockhost@web.service/container", "runtime": "/real",
		"edits": {"process": {"env": ["PLACED=yes"]}}}' >"$root/run/dockhost/runtime/$ID.json"
	out=$(create) || die "dockhost-runtime fails: $out"
	has "$out" "^create --bundle /bundle $ID" dockhost-runtime
	has "$out" '"cgroupsPath": *"/system.slice/dockhost@web.service/container"' dockhost-runtime
	has "$out" 'PLACED=yes' dockhost-runtime
}

check_removal() {
	inside dpkg --force-depends --purge dockhost >"$scratch/dpkg.log" 2>&1 ||
		{ cat "$scratch/dpkg.log" >&2 && die "the package cannot be removed, see above"; }
	[ ! -e "$root/usr/bin/dockhost" ] || die "/usr/bin/dockhost is left over"
	! grep -q dockhost "$root/etc/docker/daemon.json" 2>/dev/null || die "daemon.json still names dockhost"
}

[ "$#" = 1 ] || die "arguments are missing: foreign.sh DEB"
deb=$1
arch=$(dpkg-deb -f "$deb" Architecture)
command -v mmdebstrap >/dev/null || {
	say "installing mmdebstrap"
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends mmdebstrap >/dev/null
}
scratch=$(mktemp -d)
root=$scratch/root
trap 'rm -rf --one-file-system "$scratch"; forget_foreign' EXIT
run_foreign "$arch"
ARCHIVE=$(find_archive)
extract "$root" "$arch"
check_install
check_user_data
check_runtime
check_removal
say "$arch: $(basename "$deb") installs, and its programs run"
