#!/usr/bin/env bash
# Makes the packages dockhost_VERSION_ARCH.deb and dockhost-VERSION.ARCH.rpm of what `make install` makes.
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
umask 022

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# package_version VERSION prints it as dpkg and rpm sort it: a candidate before its version, what came after a tag behind
# it, and a commit without any tag by its date, before all versions.
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
}

debian_changelog() {
	cat <<-END
		dockhost ($PACKAGE_VERSION-1) unstable; urgency=medium

		  * What changed is in changelog.gz.

		 -- dockhost maintainers <maintainers@dockhost.dev>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
	END
}

main() {
	[ "$#" -ge 2 ] || usage
	local out arch format
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
	done
	rm -rf "$out/.stage"
}

main "$@"
