#!/usr/bin/env bash
# Makes of what `make install` makes, for each architecture, a deb, an rpm, a tarball for hosts whose /usr is read-only,
# a system extension (squashfs, for systemd-sysext) and a bill of materials (CycloneDX), and SHA256SUMS over all of
# them. Installs squashfs-tools where they are missing.
#
#   build.sh OUT ARCH...   into the directory OUT, for these architectures (amd64, arm64)
#
# Environment:
#   VERSION             as `git describe` gives it (default: that)
#   SOURCE_DATE_EPOCH   the time of all files (default: the commit's)
#   NFPM                the program nfpm
#   MAKEFLAGS           make's, so that variables of its command line hold
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly TOP
cd "$TOP"
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# Neither who has cloned the repository nor how shows in what is made.
export LC_ALL=C TZ=UTC
umask 022

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# package_version VERSION prints it as dpkg and rpm sort it: a candidate before its version, what came after a tag
# behind it, and a commit without any tag by its date, before all versions.
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

# stage DIR ARCH leaves in DIR what nfpm.yaml names.
stage() {
	local dir=$1 arch=$2
	rm -rf "$dir"
	make --no-print-directory -s install ARCH="$arch" VERSION="$VERSION" DESTDIR="$dir/root"
	find "$dir/root/usr/share/man" -type f -exec gzip -9n {} +
	cp -r packaging/deb packaging/rpm LICENSE CHANGELOG.md "$dir"
	gzip -9nc CHANGELOG.md >"$dir/deb/changelog.gz"
	debian_changelog | gzip -9nc >"$dir/deb/changelog.Debian.gz"
	find "$dir" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	chmod -R u=rwX,go=rX "$dir"
}

debian_changelog() {
	cat <<-END
		dockhost ($PACKAGE_VERSION-1) unstable; urgency=medium

		  * What changed is in changelog.gz.

		 -- dockhost maintainers <maintainers@dockhost.dev>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
	END
}

# tarball DIR FILE has the tree of /opt, with units that name it.
tarball() {
	local tree=$1/tarball/dockhost-$PACKAGE_VERSION from=$1/root/usr
	mkdir -p "$tree/libexec" "$tree/share" "$tree/etc/systemd/system" "$tree/etc/tmpfiles.d" "$tree/etc/sysusers.d"
	cp packaging/tarball/install.sh LICENSE README.md CHANGELOG.md "$tree"
	install -D -t "$tree/bin" "$from/bin/dockhost"
	cp -r "$from/libexec/dockhost" "$tree/libexec"
	rm "$tree/libexec/dockhost/systemd-docker"
	cp -r "$from/share/dockhost" "$tree/share"
	cp "$from"/lib/systemd/system/dockhost* "$tree/etc/systemd/system"
	cp "$from/lib/tmpfiles.d/dockhost.conf" "$tree/etc/tmpfiles.d"
	cp "$from/lib/sysusers.d/dockhost.conf" "$tree/etc/sysusers.d"
	chmod -R u=rwX,go=rX "$tree"
	find "$tree/etc" -type f -exec sed -i -E 's,/usr/(bin/dockhost|libexec/dockhost|share/dockhost),/opt/\1,g' {} +
	tar -C "$1/tarball" --sort=name --owner=0 --group=0 --numeric-owner --mtime "@$SOURCE_DATE_EPOCH" -c . | gzip -9n >"$2"
}

# sysext DIR ARCH FILE: the extension has to be called dockhost on the host, as its release file is.
sysext() {
	local tree=$1/sysext units=$1/sysext/usr/lib/systemd/system architecture=$2
	[ "$2" != amd64 ] || architecture=x86-64
	mkdir "$tree"
	cp -a "$1/root/usr" "$tree"
	install -D -m 0644 packaging/sysext/multi-user.conf "$units/multi-user.target.d/10-dockhost.conf"
	install -D -m 0644 packaging/sysext/socket.conf "$units/dockhost.socket.d/10-sysext.conf"
	install -D -m 0644 packaging/sysext/service.conf "$units/dockhost.service.d/10-sysext.conf"
	mkdir "$tree/usr/lib/extension-release.d"
	# The last has systemd read the units that are merged in a boot.
	printf 'ID=_any\nARCHITECTURE=%s\nEXTENSION_RELOAD_MANAGER=1\n' "$architecture" >"$tree/usr/lib/extension-release.d/extension-release.dockhost"
	find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	mksquashfs "$tree" "$3" -all-root -noappend -no-progress -quiet -comp gzip >/dev/null
}

ensure_squashfs() {
	command -v mksquashfs >/dev/null && return
	echo "installing squashfs-tools" >&2
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends squashfs-tools >/dev/null
}

main() {
	[ "$#" -ge 2 ] || usage
	local out arch format
	ensure_squashfs
	mkdir -p "$1"
	out=$(realpath "$1") NFPM=$(realpath "${NFPM:-build/tools/nfpm}")
	shift
	PACKAGE_VERSION=$(package_version "$VERSION")
	export PACKAGE_VERSION
	for arch in "$@"; do
		stage "$out/.stage" "$arch"
		for format in deb rpm; do
			(cd "$out/.stage" && ARCH=$arch "$NFPM" package -f "$TOP/packaging/nfpm.yaml" -p "$format" -t "$out")
		done
		tarball "$out/.stage" "$out/dockhost-$PACKAGE_VERSION-linux-$arch.tar.gz"
		sysext "$out/.stage" "$arch" "$out/dockhost-$PACKAGE_VERSION-$arch.raw"
		go run ./packaging/sbom dockhost "$PACKAGE_VERSION" "$out"/.stage/root/usr/{bin/dockhost,libexec/dockhost/dockhost-*} \
			>"$out/dockhost-$PACKAGE_VERSION-linux-$arch.cdx.json"
	done
	rm -rf "$out/.stage"
	(cd "$out" && sha256sum -- *"$PACKAGE_VERSION"* >SHA256SUMS)
}

main "$@"
