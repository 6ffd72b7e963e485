#!/usr/bin/env bash
# Checks every shell script of the project; installs shellcheck where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v shellcheck >/dev/null; then
	echo "installing shellcheck" >&2
	apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends shellcheck >/dev/null
fi
mapfile -t scripts < <(git ls-files -z --cached --others --exclude-standard | xargs -0 grep -lE '^#!.*\b(ba)?sh$')
shellcheck --external-sources "${scripts[@]}"
