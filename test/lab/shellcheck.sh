#!/usr/bin/env bash
# Checks every shell script of the project. It installs shellcheck if it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v shellcheck >/dev/null; then
	echo "installing shellcheck" >&2
	apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends shellcheck >/dev/null
fi
# A file that begins with #! is a script. Test data for cloud-init is skipped.
mapfile -t scripts < <(git ls-files -z --cached --others --exclude-standard -- ':!cloudinit/testdata/merge' |
	xargs -0 awk 'FNR == 1 { if (/^#!.*[\/ ](ba)?sh$/) print FILENAME; nextfile }')
shellcheck --external-sources "${scripts[@]}"
