#!/usr/bin/env bash
# Installs NVIDIA's driver by its own installer, in an image of Debian, Ubuntu, RHEL or what is like it, in three steps of
# which the first two want a reboot behind them. Each may be repeated. Root.
#
#   nvidia-driver.sh [--dry-run] tools     what the driver is built with, for the kernel that runs
#   nvidia-driver.sh [--dry-run] nouveau   keeps the kernel's own driver of these GPUs from being loaded
#   nvidia-driver.sh [--dry-run] driver    fetches, checks, and installs the driver, and has DKMS keep it built
#
# --dry-run prints what would be done, and does nothing.
#
# Environment, for the step driver:
#   NVIDIA_VERSION   such as 570.133.20
#   NVIDIA_SHA256    the checksum of the installer
#   NVIDIA_URL       where it is (default: NVIDIA's own server, for data center GPUs)
set -euo pipefail

OS_RELEASE=${OS_RELEASE:-/etc/os-release}
readonly OS_RELEASE BLACKLIST=/etc/modprobe.d/blacklist-nouveau.conf
dry=''

say() { echo "nvidia-driver: $*" >&2; }

die() {
	say "$*"
	exit 1
}

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# run COMMAND... is where anything is changed.
run() {
	if [ -n "$dry" ]; then
		echo "$*"
	else
		"$@"
	fi
}

# family is debian or rhel.
family() {
	local ID='' ID_LIKE='' word
	[ -r "$OS_RELEASE" ] || die "$OS_RELEASE is not there: which distribution is this?"
	# shellcheck disable=SC1090 # it is the host's
	. "$OS_RELEASE"
	for word in $ID $ID_LIKE; do
		case $word in
		debian | ubuntu) echo debian && return ;;
		rhel | fedora | centos) echo rhel && return ;;
		esac
	done
	die "$ID: neither like Debian nor like RHEL (install the driver as its own documents say)"
}

tools() {
	local kernel
	kernel=$(uname -r)
	case $1 in
	debian)
		run apt-get -q update
		run env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
			build-essential ca-certificates curl dkms kmod pciutils "linux-headers-$kernel"
		;;
	rhel)
		# DKMS is in EPEL.
		run dnf -q install -y "https://dl.fedoraproject.org/pub/epel/epel-release-latest-$(release).noarch.rpm"
		run dnf -q install -y ca-certificates curl dkms elfutils-libelf-devel gcc kmod make pciutils "kernel-devel-$kernel" \
			"kernel-headers"
		;;
	esac
}

# release is the distribution's major version.
release() {
	local VERSION_ID=''
	# shellcheck disable=SC1090 # as above
	. "$OS_RELEASE"
	echo "${VERSION_ID%%.*}"
}

nouveau() {
	local text=$'# NVIDIA\'s driver has these GPUs.\nblacklist nouveau\noptions nouveau modeset=0'
	if [ ! -e "$BLACKLIST" ] || [ "$(cat "$BLACKLIST")" != "$text" ]; then
		run install -d -m 0755 "$(dirname "$BLACKLIST")"
		if [ -n "$dry" ]; then
			printf 'write %s:\n%s\n' "$BLACKLIST" "$text"
		else
			printf '%s\n' "$text" >"$BLACKLIST.new"
			mv "$BLACKLIST.new" "$BLACKLIST"
		fi
	fi
	# It may be loaded from the initramfs, before anything reads the file.
	case $1 in
	debian) ! have update-initramfs || run update-initramfs -u -k all ;;
	rhel)
		! have dracut || run dracut --force --regenerate-all
		! have grubby || run grubby --update-kernel=ALL --args="rd.driver.blacklist=nouveau nouveau.modeset=0"
		;;
	esac
	[ ! -d /sys/module/nouveau ] || say "nouveau is loaded: reboot before the next step"
}

# have PROGRAM; in a dry run all are taken to be there.
have() { [ -n "$dry" ] || command -v "$1" >/dev/null; }

driver() {
	local version=${NVIDIA_VERSION:-} sum=${NVIDIA_SHA256:-} machine url file
	[[ $version =~ ^[0-9]+(\.[0-9]+){1,2}$ ]] || die "NVIDIA_VERSION=\"$version\" is no version (570.133.20)"
	[[ $sum =~ ^[0-9a-f]{64}$ ]] || die "NVIDIA_SHA256 is no checksum: what is fetched runs as root"
	[ ! -d /sys/module/nouveau ] || die "nouveau is loaded (run the step nouveau, and reboot)"
	machine=$(uname -m)
	url=${NVIDIA_URL:-https://us.download.nvidia.com/tesla/$version/NVIDIA-Linux-$machine-$version.run}
	file=$(mktemp -d)
	# shellcheck disable=SC2064 # now
	trap "rm -rf '$file'" EXIT
	file+=/nvidia.run
	run curl -fsSL --retry 3 --connect-timeout 20 -o "$file" "$url"
	if [ -n "$dry" ]; then
		echo "check $sum $file"
	else
		echo "$sum  $file" | sha256sum --quiet -c - || die "$url has another checksum than NVIDIA_SHA256"
	fi
	run sh "$file" --silent --dkms
	run modinfo -F version nvidia
}

main() {
	if [ "${1:-}" = --dry-run ]; then
		dry=1
		shift
	fi
	[ "$#" = 1 ] || usage
	case $1 in tools | nouveau | driver) ;; *) usage ;; esac
	[ -n "$dry" ] || [ "$(id -u)" = 0 ] || die "run as root"
	local family
	family=$(family)
	"$1" "$family"
}

main "$@"
