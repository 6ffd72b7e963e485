#!/bin/bash
# Runs the fuzz tests one after the other.
#   test/fuzz.sh TIME           all of them, for TIME each
#   test/fuzz.sh TIME TARGET... some of them, such as ./spec/compose:FuzzService
set -euo pipefail
cd "$(dirname "$0")/.."

time=$1
shift
if [ $# -eq 0 ]; then
	mapfile -t targets < <(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed -E 's|^(\./.*)/[^/]*_test.go:[0-9]+:func (.*)|\1:\2|' | sort)
	set -- "${targets[@]}"
fi
failed=()
for target in "$@"; do
	package=${target%:*} name=${target##*:}
	echo "$target"
	# What a test finds is in its package's testdata/fuzz.
	go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -parallel "${FUZZ_PARALLEL:-2}" || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "failed: ${failed[*]}" >&2
	exit 1
fi
