#!/usr/bin/env bash
# Builds a release of the current commit: the packages, the tarball, the system extension and the bill of materials of each
# architecture, SHA256SUMS over them, and the section of CHANGELOG.md as RELEASE_NOTES.md. The same commit gives the same
# bytes on any machine. The script neither tags nor uploads anything.
#
#   release.sh VERSION OUT ARCH...   VERSION is vX.Y.Z; the directory OUT is replaced
#
# Environment:
#   SIGN_KEY   the gpg key that signs SHA256SUMS as SHA256SUMS.asc (without it nothing is signed)
#   NFPM       the program nfpm
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly TOP
cd "$TOP"

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

refuse() {
	echo "release: $*" >&2
	exit 1
}

# notes VERSION prints the version's section of CHANGELOG.md without its heading.
notes() {
	awk -v heading="## [${1#v}] - " '
		/^## / { inside = index($0, heading) == 1 && $0 ~ / - [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/; next }
		inside && (text || NF) { text = text $0 "\n" }
		END { sub(/\n+$/, "\n", text); printf "%s", text }' CHANGELOG.md
}

check() {
	local version=$1 changed tagged
	[[ $version =~ ^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$ ]] ||
		refuse "\"$version\" is not a version of a release (run: make release VERSION=v1.2.3)"
	changed=$(git status --porcelain)
	[ -z "$changed" ] || refuse "these files are not committed (commit or remove them):"$'\n'"$changed"
	tagged=$(git rev-parse --quiet --verify "refs/tags/$version^{commit}" || true)
	[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] ||
		refuse "$version is the tag of another commit, $tagged (check out that commit, or use another version)"
	[ -n "$(notes "$version")" ] ||
		refuse "CHANGELOG.md has no section for $version (rename \"## [Unreleased]\" to \"## [${version#v}] - YYYY-MM-DD\", and commit)"
}

main() {
	[ "$#" -ge 3 ] || usage
	local version=$1 out=$2 new=$2.new
	shift 2
	check "$version"
	rm -rf "$new"
	# These variables could change the programs.
	env -u GOEXPERIMENT GOFLAGS= GOAMD64=v1 GOARM64=v8.0 SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" \
		VERSION="$version" packaging/build.sh "$new" "$@"
	notes "$version" >"$new/RELEASE_NOTES.md"
	if [ -n "${SIGN_KEY:-}" ]; then
		gpg --batch --yes --local-user "$SIGN_KEY" --armor --detach-sign -o "$new/SHA256SUMS.asc" "$new/SHA256SUMS"
	fi
	rm -rf "$out"
	mv "$new" "$out"
	echo "release: built $version from $(git rev-parse HEAD) in $out" >&2
	[ -n "${SIGN_KEY:-}" ] || echo "release: SHA256SUMS is not signed (set SIGN_KEY to sign it)" >&2
}

main "$@"
