#!/usr/bin/env bash
# Checks the metrics and the alerts with promtool: names by convention, rules that are valid, and their unit tests. Each
# metric of the dashboard and the alerts exists. It installs Debian's Prometheus if it is missing.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP METRICS=$TOP/agent/metrics/testdata/metrics.txt

command -v promtool >/dev/null || {
	echo "observability: installing prometheus" >&2
	apt-get -q update >/dev/null
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 prometheus >/dev/null
}
promtool check metrics <"$METRICS"
promtool check rules "$TOP/packaging/observability/dockhost.rules.yaml"
promtool test rules "$TOP/test/observability/rules_test.yaml"
python3 -m json.tool "$TOP/packaging/observability/dockhost.dashboard.json" >/dev/null
mapfile -t names < <(grep -hoE '\bdockhost_[a-z_]+' "$TOP"/packaging/observability/* | grep -v age_seconds | sort -u)
status=0
for name in "${names[@]}"; do
	grep -qE "^${name%_sum}(_sum|_count)?[{ ]" "$METRICS" || {
		echo "observability: no metric $name" >&2
		status=1
	}
done
exit $status
