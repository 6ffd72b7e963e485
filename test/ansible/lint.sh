#!/usr/bin/env bash
# Lints the example for Ansible. It installs ansible-lint and yamllint (5 MB) if they are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../packaging/examples/ansible"

if ! command -v ansible-lint >/dev/null || ! command -v yamllint >/dev/null; then
	echo "installing ansible-lint and yamllint" >&2
	apt-get -q update >/dev/null &&
		DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends ansible-core ansible-lint yamllint >/dev/null
fi
yamllint --strict .
ansible-lint --offline --strict -p --nocolor site.yml roles
