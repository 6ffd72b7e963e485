#!/usr/bin/env bash
# Checks the packages in a directory: lintian and rpmlint report nothing, deb and rpm of an architecture have the same
# files, and a dynamic program runs with the C library that its package depends on. It installs the linters if they are
# missing.
#
#   check.sh PACKAGES ARCH...
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP

say() { echo "package: $*" >&2; }

die() {
	say "$*"
	exit 1
}

ensure_linters() {
	command -v lintian >/dev/null && command -v rpmlint >/dev/null && command -v rpm >/dev/null && return
	say "installing lintian, rpmlint and rpm"
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends lintian rpmlint rpm >/dev/null
}

# only FILE... prints the file if there is exactly one.
only() {
	if [ "$#" != 1 ] || [ ! -e "$1" ]; then die "$*: want exactly one file"; fi
	echo "$1"
}

lint() {
	lintian --allow-root -I --pedantic --display-experimental --fail-on error,warning,info,pedantic,experimental "$1"
	# rpmlint exits with 0 if it only warns.
	rpmlint -c "$TOP/packaging/rpm/rpmlint.toml" "$2" | tee "$scratch/rpmlint" | grep -q ' 0 errors, 0 warnings' ||
		die "rpmlint: $(cat "$scratch/rpmlint")"
}

# The mode, owner, link and path of each file, without documents and the files of lintian and zsh.
deb_files() { dpkg-deb --fsys-tarfile "$1" | tar -tv | awk '$1 !~ /^d/ { sub(/^\./, "", $6); print $1, $2, $6, $8 }'; }
rpm_files() {
	rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES} %{FILELINKTOS}\n]' "$1" | grep -v '^d'
}
shared() { grep -vE ' /usr/share/(doc|licenses|lintian|zsh)/' | sed -E 's/^l.........? /l /; s/ +$//' | sort; }

same_files() {
	deb_files "$1" | shared >"$scratch/deb"
	rpm_files "$2" | shared >"$scratch/rpm"
	[ -s "$scratch/deb" ] || die "$1 has no files"
	diff -u "$scratch/deb" "$scratch/rpm" || die "$1 and $2 have different files"
}

# old_enough DEB checks that its program needs no newer C library than the package depends on.
old_enough() {
	local has needs
	has=$(dpkg-deb -f "$1" Depends | sed -nE 's/.*libc6 \(>= ([0-9.]+)\).*/\1/p')
	dpkg-deb --fsys-tarfile "$1" | tar -xO ./usr/libexec/dockhost/dockhost-nvidia >"$scratch/program"
	needs=$(grep -aoE 'GLIBC_[0-9.]+' "$scratch/program" | sed 's/GLIBC_//' | sort -V | tail -n 1)
	[ -n "$has" ] || die "$1 names no version of libc6"
	dpkg --compare-versions "${needs:-none}" le "$has" ||
		die "$1 depends on libc6 >= $has, and its program needs $needs (build it where the C library is older)"
}

[ "$#" -ge 2 ] || die "arguments are missing: check.sh PACKAGES ARCH..."
packages=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ensure_linters
for arch in "$@"; do
	case $arch in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) die "$arch: unknown architecture (amd64, arm64)" ;; esac
	for name in dockhost dockhost-nvidia; do
		deb=$(only "$packages/$name"_*_"$arch".deb)
		rpm=$(only "$packages/$name"-[0-9]*."$machine".rpm)
		lint "$deb" "$rpm"
		same_files "$deb" "$rpm"
		say "$arch: $(basename "$deb") and $(basename "$rpm") are correct"
	done
	old_enough "$deb"
done
