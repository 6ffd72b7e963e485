#!/usr/bin/env bash
# Installs NVIDIA's driver by NVIDIA's installer in an image of Debian, Ubuntu, RHEL or a derivative. Run its three steps
# as root, with a reboot after each of the first two. Each step may be repeated.
#
#   nvidia-driver.sh [--dry-run] tools     installs the tools to build the driver for the running kernel
#   nvidia-driver.sh [--dry-run] nouveau   keeps the kernel from loading its own driver for these GPUs
#   nvidia-driver.sh [--dry-run] driver    downloads, verifies and installs the driver, and registers it with DKMS
#
# --dry-run only prints the commands.
#
# Environment, for the step driver:
#   NVIDIA_VERSION   the version, such as 570.133.20
#   NVIDIA_SHA256    the checksum of the installer
#   NVIDIA_URL       the address of the installer (default: on NVIDIA's server, for data center GPUs)
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

# run COMMAND... runs a command that changes something, or prints it in a dry run.
run() {
	if [ -n "$dry" ]; then
		echo "$*"
	else
		"$@"
	fi
}

# family prints debian or rhel.
family() {
	local ID='' ID_LIKE='' word
	[ -r "$OS_RELEASE" ] || die "cannot read $OS_RELEASE, which names the distribution"
	# shellcheck disable=SC1090 # a file of the host
	. "$OS_RELEASE"
	for word in $ID $ID_LIKE; do
		case $word in
		debian | ubuntu) echo debian && return ;;
		rhel | fedora | centos) echo rhel && return ;;
		esac
	done
	die "$ID: not a derivative of Debian or RHEL (install the driver as NVIDIA's documentation says)"
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

# release prints the distribution's major version.
release() {
	local VERSION_ID=''
	# shellcheck disable=SC1090 # a file of the host
	. "$OS_RELEASE"
	echo "${VERSION_ID%%.*}"
}

nouveau() {
	local text=$'# NVIDIA\'s driver is used for these GPUs.\nblacklist nouveau\noptions nouveau modeset=0'
	if [ ! -e "$BLACKLIST" ] || [ "$(cat "$BLACKLIST")" != "$text" ]; then
		run install -d -m 0755 "$(dirname "$BLACKLIST")"
		if [ -n "$dry" ]; then
			printf 'write %s:\n%s\n' "$BLACKLIST" "$text"
		else
			printf '%s\n' "$text" >"$BLACKLIST.new"
			mv "$BLACKLIST.new" "$BLACKLIST"
		fi
	fi
	# The initramfs may load nouveau, so it needs the file too.
	case $1 in
	debian) ! have update-initramfs || run update-initramfs -u -k all ;;
	rhel)
		! have dracut || run dracut --force --regenerate-all
		! have grubby || run grubby --update-kernel=ALL --args="rd.driver.blacklist=nouveau nouveau.modeset=0"
		;;
	esac
	[ ! -d /sys/module/nouveau ] || say "nouveau is loaded: reboot before the next step"
}

# have PROGRAM reports whether the program exists. In a dry run it always succeeds.
have() { [ -n "$dry" ] || command -v "$1" >/dev/null; }

driver() {
	local version=${NVIDIA_VERSION:-} sum=${NVIDIA_SHA256:-} machine url file
	[[ $version =~ ^[0-9]+(\.[0-9]+){1,2}$ ]] || die "NVIDIA_VERSION=\"$version\" is not a version (such as 570.133.20)"
	[[ $sum =~ ^[0-9a-f]{64}$ ]] || die "NVIDIA_SHA256 is not a checksum, which is required because the installer runs as root"
	[ ! -d /sys/module/nouveau ] || die "nouveau is loaded (run the step nouveau, and reboot)"
	machine=$(uname -m)
	url=${NVIDIA_URL:-https://us.download.nvidia.com/tesla/$version/NVIDIA-Linux-$machine-$version.run}
	file=$(mktemp -d)
	# shellcheck disable=SC2064 # expands now
	trap "rm -rf '$file'" EXIT
	file+=/nvidia.run
	run curl -fsSL --retry 3 --connect-timeout 20 -o "$file" "$url"
	if [ -n "$dry" ]; then
		echo "check $sum $file"
	else
		echo "$sum  $file" | sha256sum --quiet -c - || die "the checksum of $url is not NVIDIA_SHA256"
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
	[ -n "$dry" ] || [ "$(id -u)" = 0 ] || die "only root can install the driver"
	local family
	family=$(family)
	"$1" "$family"
}

main "$@"
