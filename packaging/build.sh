#!/usr/bin/env bash
# Builds the packages of each architecture. From the files of `make install` it makes a deb, an rpm, a tarball for hosts
# whose /usr is read-only, a system extension (squashfs, for systemd-sysext) and a bill of materials (CycloneDX). From the
# files of `make nvidia` it makes another deb, rpm and bill of materials. SHA256SUMS covers all of them. It installs
# squashfs-tools and C compilers if they are missing.
#
#   build.sh OUT ARCH...   builds in the directory OUT for these architectures (amd64, arm64)
#
# Environment:
#   VERSION             a version in the format of `git describe` (default: its output)
#   SOURCE_DATE_EPOCH   the time of all files (default: the commit's)
#   NFPM                the program nfpm
#   ONLY                dockhost or dockhost-nvidia: builds only this one (default: both)
#   MAKEFLAGS           set by make, so that variables of its command line apply
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly TOP
cd "$TOP"
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# The result must not depend on the user and the clone.
export LC_ALL=C TZ=UTC
umask 022

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# package_version VERSION prints the version such that dpkg and rpm sort it: a release candidate before its release, a
# commit after a tag behind that release, and a commit without any tag by date, before all releases.
package_version() {
	local version=${1#v} dirty=
	[[ $version != *-dirty ]] || dirty=+dirty
	version=${version%-dirty}
	if [[ ! $version =~ ^[0-9]+\.[0-9]+ ]]; then
		echo "0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$version$dirty"
	elif [[ $version =~ ^(.*)-([0-9]+)-(g[0-9a-f]+)$ ]]; then
		echo "${BASH_REMATCH[1]/-/\~}+${BASH_REMATCH[2]}.${BASH_REMATCH[3]}$dirty"
	else
		echo "${version/-/\~}$dirty"
	fi
}

# stage DIR ARCH creates the files of nfpm.yaml in DIR.
stage() {
	local dir=$1 arch=$2
	rm -rf "$dir"
	make --no-print-directory -s install ARCH="$arch" VERSION="$VERSION" DESTDIR="$dir/root"
	find "$dir/root/usr/share/man" -type f -exec gzip -9n {} +
	cp -r packaging/deb packaging/rpm LICENSE CHANGELOG.md "$dir"
	gzip -9nc CHANGELOG.md >"$dir/deb/changelog.gz"
	debian_changelog dockhost | gzip -9nc >"$dir/deb/changelog.Debian.gz"
	find "$dir" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	chmod -R u=rwX,go=rX "$dir"
}

# stage_nvidia DIR ARCH creates the files of nvidia.yaml in DIR.
stage_nvidia() {
	local dir=$1 arch=$2
	rm -rf "$dir"
	mkdir -p "$dir/deb"
	make --no-print-directory -s nvidia ARCH="$arch" VERSION="$VERSION"
	install -D -m 0755 -t "$dir/root/usr/libexec/dockhost" "build/linux-$arch/dockhost-nvidia"
	cp LICENSE CHANGELOG.md "$dir"
	cp packaging/deb/copyright packaging/deb/lintian-overrides.nvidia "$dir/deb"
	gzip -9nc CHANGELOG.md >"$dir/deb/changelog.gz"
	debian_changelog dockhost-nvidia | gzip -9nc >"$dir/deb/changelog.Debian.gz"
	find "$dir" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	chmod -R u=rwX,go=rX "$dir"
}

# debian_changelog PACKAGE
debian_changelog() {
	cat <<-END
		$1 ($PACKAGE_VERSION-1) unstable; urgency=medium

		  * See changelog.gz for the changes.

		 -- dockhost maintainers <maintainers@dockhost.dev>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
	END
}

# tarball DIR FILE makes the tarball: the tree of /opt, and units with its paths.
tarball() {
	local tree=$1/tarball/dockhost-$PACKAGE_VERSION from=$1/root/usr
	mkdir -p "$tree/libexec" "$tree/share" "$tree/etc/systemd/system" "$tree/etc/tmpfiles.d" "$tree/etc/sysusers.d" "$tree/etc/needrestart"
	cp packaging/tarball/install.sh LICENSE README.md CHANGELOG.md "$tree"
	install -D -t "$tree/bin" "$from/bin/dockhost"
	cp -r "$from/libexec/dockhost" "$tree/libexec"
	rm "$tree/libexec/dockhost/systemd-docker"
	cp -r "$from/share/dockhost" "$tree/share"
	cp "$from"/lib/systemd/system/dockhost* "$tree/etc/systemd/system"
	cp "$from/lib/tmpfiles.d/dockhost.conf" "$tree/etc/tmpfiles.d"
	cp "$from/lib/sysusers.d/dockhost.conf" "$tree/etc/sysusers.d"
	cp -r "$1/root/etc/needrestart/conf.d" "$tree/etc/needrestart"
	chmod -R u=rwX,go=rX "$tree"
	find "$tree/etc" -type f -exec sed -i -E 's,/usr/(bin/dockhost|libexec/dockhost|share/dockhost),/opt/\1,g' {} +
	tar -C "$1/tarball" --sort=name --owner=0 --group=0 --numeric-owner --mtime "@$SOURCE_DATE_EPOCH" -c . | gzip -9n >"$2"
}

# sysext DIR ARCH FILE makes the system extension. Its name on a host must be dockhost, the name of its release file.
sysext() {
	local tree=$1/sysext units=$1/sysext/usr/lib/systemd/system architecture=$2
	[ "$2" != amd64 ] || architecture=x86-64
	mkdir "$tree"
	cp -a "$1/root/usr" "$tree"
	install -D -m 0644 packaging/sysext/multi-user.conf "$units/multi-user.target.d/10-dockhost.conf"
	install -D -m 0644 packaging/sysext/socket.conf "$units/dockhost.socket.d/10-sysext.conf"
	install -D -m 0644 packaging/sysext/service.conf "$units/dockhost.service.d/10-sysext.conf"
	install -D -m 0644 -t "$units" packaging/sysext/dockhost-catalog.service
	# needrestart reads /etc alone, which is not part of an extension.
	install -D -m 0644 -t "$tree/usr/share/dockhost/needrestart" "$1/root/etc/needrestart/conf.d/dockhost.conf"
	install -D -m 0644 packaging/sysext/needrestart.conf "$tree/usr/lib/tmpfiles.d/dockhost-needrestart.conf"
	mkdir "$tree/usr/lib/extension-release.d"
	# EXTENSION_RELOAD_MANAGER= makes systemd load the units when the extension is merged at boot.
	printf 'ID=_any\nARCHITECTURE=%s\nEXTENSION_RELOAD_MANAGER=1\n' "$architecture" >"$tree/usr/lib/extension-release.d/extension-release.dockhost"
	find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	mksquashfs "$tree" "$3" -all-root -noappend -no-progress -quiet -comp gzip >/dev/null
}

# ensure_tools ARCH...
ensure_tools() {
	local missing=() arch gnu libc
	! wants dockhost || command -v mksquashfs >/dev/null || missing+=(squashfs-tools)
	for arch in "$@"; do
		case $arch in
		amd64) gnu=x86-64-linux-gnu libc=libc6-dev-amd64-cross ;;
		arm64) gnu=aarch64-linux-gnu libc=libc6-dev-arm64-cross ;;
		*) echo "$arch: unknown architecture (amd64, arm64)" >&2 && exit 2 ;;
		esac
		if ! wants dockhost-nvidia; then
			continue
		elif [ "$arch" = "$(go env GOHOSTARCH)" ]; then
			command -v gcc >/dev/null && [ -e /usr/include/stdlib.h ] || missing+=(gcc libc6-dev)
		else
			command -v "${gnu/x86-64/x86_64}-gcc" >/dev/null || missing+=("gcc-$gnu" "$libc")
		fi
	done
	[ "${#missing[@]}" != 0 ] || return 0
	echo "installing ${missing[*]}" >&2
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# wants PACKAGE
wants() { [ "${ONLY:-$1}" = "$1" ]; }

# nfpm STAGE CONFIGURATION ARCH builds the deb and the rpm.
nfpm() {
	local format
	for format in deb rpm; do
		(cd "$1" && ARCH=$3 "$NFPM" package -f "$TOP/packaging/$2" -p "$format" -t "$out")
	done
}

make_dockhost() {
	local arch=$1 stage=$out/.stage
	stage "$stage" "$arch"
	nfpm "$stage" nfpm.yaml "$arch"
	tarball "$stage" "$out/dockhost-$PACKAGE_VERSION-linux-$arch.tar.gz"
	sysext "$stage" "$arch" "$out/dockhost-$PACKAGE_VERSION-$arch.raw"
	go run ./packaging/sbom dockhost "$PACKAGE_VERSION" "$stage"/root/usr/{bin/dockhost,libexec/dockhost/dockhost-*} \
		>"$out/dockhost-$PACKAGE_VERSION-linux-$arch.cdx.json"
}

make_nvidia() {
	local arch=$1 stage=$out/.stage
	stage_nvidia "$stage" "$arch"
	nfpm "$stage" nvidia.yaml "$arch"
	go run ./packaging/sbom dockhost-nvidia "$PACKAGE_VERSION" "$stage/root/usr/libexec/dockhost/dockhost-nvidia" \
		>"$out/dockhost-nvidia-$PACKAGE_VERSION-linux-$arch.cdx.json"
}

main() {
	[ "$#" -ge 2 ] || usage
	local out arch
	ensure_tools "${@:2}"
	mkdir -p "$1"
	out=$(realpath "$1") NFPM=$(realpath "${NFPM:-build/tools/nfpm}")
	shift
	PACKAGE_VERSION=$(package_version "$VERSION")
	export PACKAGE_VERSION
	for arch in "$@"; do
		! wants dockhost || make_dockhost "$arch"
		! wants dockhost-nvidia || make_nvidia "$arch"
	done
	rm -rf "$out/.stage"
	(cd "$out" && sha256sum -- *"$PACKAGE_VERSION"* >SHA256SUMS)
}

main "$@"
