#!/usr/bin/env bash
# Builds a signed apt repository for a web server or a mirror: dists/stable/main, with the packages in pool/.
#
#   repo.sh PACKAGES OUT   adds the *.deb of the directory PACKAGES to the repository in OUT
#
# Environment:
#   SIGN_KEY            the gpg key that signs; OUT/dockhost.gpg gets its public key
#   SOURCE_DATE_EPOCH   the time of the repository (default: now)
set -euo pipefail

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# index ARCH writes the list of packages for an architecture.
index() {
	local dir=dists/stable/main/binary-$1
	mkdir -p "$dir"
	apt-ftparchive --arch "$1" packages pool >"$dir/Packages"
	gzip -9nkf "$dir/Packages"
}

release() {
	apt-ftparchive -o APT::FTPArchive::Release::Origin=dockhost -o APT::FTPArchive::Release::Label=dockhost \
		-o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
		-o APT::FTPArchive::Release::Components=main -o APT::FTPArchive::Release::Architectures="amd64 arm64" \
		release dists/stable >Release.new
	mv Release.new dists/stable/Release
}

sign() {
	local gpg=(gpg --batch --yes --local-user "$SIGN_KEY")
	[ -z "${SOURCE_DATE_EPOCH:-}" ] || gpg+=(--faked-system-time "$SOURCE_DATE_EPOCH!")
	"${gpg[@]}" --clearsign -o dists/stable/InRelease dists/stable/Release
	"${gpg[@]}" --armor --detach-sign -o dists/stable/Release.gpg dists/stable/Release
	gpg --batch --yes --export -o dockhost.gpg "$SIGN_KEY"
}

main() {
	[ "$#" = 2 ] || usage
	if [ -z "${SIGN_KEY:-}" ]; then
		echo "repo: SIGN_KEY is not set, and apt rejects unsigned repositories (set it to a key of gpg --list-secret-keys)" >&2
		exit 2
	fi
	mkdir -p "$2/pool"
	cp -p "$1"/*.deb "$2/pool"
	cd "$2"
	index amd64
	index arm64
	release
	sign
}

main "$@"
