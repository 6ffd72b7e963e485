#!/usr/bin/env bash
# Checks `make release` on a copy of the working tree: what it refuses, and that its signature is valid. Two clones of a
# commit must give the same bytes in different directories, time zones and languages, and with different umasks and host
# names. It installs gpg if it is missing.
#
#   release.sh ARCH...   for these architectures
#
# Environment:
#   NFPM   the program nfpm
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP VERSION=v9.8.7

say() { echo "release: $*" >&2; }

die() {
	say "$*"
	exit 1
}

git() { command git -c user.name=test -c user.email=test@example.com -c core.hooksPath=/dev/null "$@"; }

# release DIR VERSION [VARIABLE...] runs make release in DIR, as a person would.
release() {
	local dir=$1 version=$2
	shift 2
	env -u MAKEFLAGS "$@" make --no-print-directory -C "$dir" release VERSION="$version" ARCHES="$arches" NFPM="$NFPM"
}

# refuses DIR VERSION SENTENCE checks that make release prints the sentence and makes nothing.
refuses() {
	local out
	if out=$(release "$1" "$2" 2>&1); then die "make release of $2 succeeded, want: $3"; fi
	grep -qF -- "$3" <<<"$out" || die "make release of $2 printed: $out; want: $3"
	[ ! -e "$1/build/release" ] || die "make release of $2 failed, and left build/release"
}

# copy DIR makes a repository of the working tree.
copy() {
	mkdir "$1"
	command git -C "$TOP" ls-files -z --cached --others --exclude-standard |
		tar -C "$TOP" --null --ignore-failed-read -T - -c 2>/dev/null | tar -C "$1" -x
	git -C "$1" init -q
	git -C "$1" add -A
	git -C "$1" commit -qm "the working tree"
}

check_refusals() {
	refuses "$1" 9.8.7 'is not a version of a release'
	refuses "$1" v9.8 'is not a version of a release'
	refuses "$1" v9.8.7-rc1 'is not a version of a release'
	refuses "$1" "$VERSION" 'rename "## [Unreleased]" to "## [9.8.7] - YYYY-MM-DD"'
	touch "$1/forgotten.go"
	refuses "$1" "$VERSION" '?? forgotten.go'
	rm "$1/forgotten.go"
	sed -i 's/^## \[Unreleased\]$/## [9.8.7] - 2026-01-02/' "$1/CHANGELOG.md"
	refuses "$1" "$VERSION" ' M CHANGELOG.md'
	git -C "$1" tag "$VERSION"
	git -C "$1" commit -qam "the release"
	refuses "$1" "$VERSION" 'is the tag of another commit'
	git -C "$1" tag -f "$VERSION" >/dev/null
}

check_signature() {
	(cd "$1" && sha256sum --quiet -c SHA256SUMS) || die "$1: SHA256SUMS does not match the files"
	gpg --batch --quiet --verify "$1/SHA256SUMS.asc" "$1/SHA256SUMS" 2>/dev/null || die "$1: the signature is not valid"
	grep -q '^### Added$' "$1/RELEASE_NOTES.md" || die "$1: RELEASE_NOTES.md lacks the section of CHANGELOG.md"
}

ensure_gpg() {
	command -v gpg >/dev/null && command -v gpg-agent >/dev/null && return
	say "installing gpg"
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends gpg gpg-agent >/dev/null
}

[ "$#" -ge 1 ] || die "arguments are missing: release.sh ARCH..."
arches=$*
ensure_gpg
NFPM=$(realpath "${NFPM:-build/tools/nfpm}")
scratch=$(mktemp -d)
export GNUPGHOME=$scratch/gnupg
trap 'gpgconf --kill gpg-agent; rm -rf "$scratch"' EXIT
mkdir -m 0700 "$GNUPGHOME"
gpg --batch --quiet --passphrase '' --quick-generate-key test@example.com 2>/dev/null

copy "$scratch/one"
check_refusals "$scratch/one"
(umask 077 && mkdir "$scratch/elsewhere" && git clone -q "$scratch/one" "$scratch/elsewhere/two")
release "$scratch/one" "$VERSION" TZ=Pacific/Auckland LC_ALL=C HOME="$HOME" SIGN_KEY=test@example.com >/dev/null
check_signature "$scratch/one/build/release/$VERSION"

# Setting a host name needs a privilege.
other=(env)
! unshare --uts true 2>/dev/null || other=(unshare --uts bash -c 'hostname elsewhere && exec env "$@"' bash)
(
	umask 077
	"${other[@]}" -u MAKEFLAGS TZ=America/St_Johns LC_ALL=C.UTF-8 GOAMD64=v3 GOFLAGS=-buildvcs=true \
		make --no-print-directory -C "$scratch/elsewhere/two" release \
		VERSION="$VERSION" ARCHES="$arches" NFPM="$NFPM" >/dev/null
)
diff -r -x SHA256SUMS.asc "$scratch/one/build/release/$VERSION" "$scratch/elsewhere/two/build/release/$VERSION" ||
	die "two builds of one commit differ"
say "two builds of one commit are identical: $(wc -l <"$scratch/one/build/release/$VERSION/SHA256SUMS") files"
