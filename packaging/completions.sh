#!/usr/bin/env bash
# completions.sh DOCKHOST DESTDIR installs the completions of each shell at Debian's paths. DOCKHOST is a program for this
# machine, which prints them.
set -euo pipefail

# complete NAME SHELL FILE
complete() {
	mkdir -p "$(dirname "$3")"
	(exec -a "$1" "$dockhost" completion "$2") >"$3"
	chmod 0644 "$3"
}

dockhost=$1 share=$2/usr/share
for name in dockhost dockhostctl; do
	complete "$name" bash "$share/bash-completion/completions/$name"
	complete "$name" zsh "$share/zsh/vendor-completions/_$name"
	complete "$name" fish "$share/fish/vendor_completions.d/$name.fish"
done
