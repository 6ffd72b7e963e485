# Lets this machine run programs for another CPU. Scripts with `set -euo pipefail` source it; say prints what they say.
# shellcheck shell=bash

readonly FOREIGN_FORMATS=/proc/sys/fs/binfmt_misc

# cpu ARCH prints the kernel's and qemu's name of Debian's architecture.
cpu() {
	case $1 in
	amd64) echo x86_64 ;;
	arm64) echo aarch64 ;;
	*) say "$1: unknown architecture (amd64, arm64)" && return 1 ;;
	esac
}

# run_foreign ARCH makes the kernel start programs for ARCH under qemu, also in a chroot. It installs qemu, and what
# mmdebstrap needs for another architecture, if they are missing. Call forget_foreign at the end.
run_foreign() {
	local handler format
	handler=qemu-$(cpu "$1")
	format=/usr/lib/binfmt.d/$handler.conf
	[ "$(uname -m)" != "$(cpu "$1")" ] || return 0
	if [ ! -e "$format" ] || ! command -v arch-test >/dev/null; then
		say "installing qemu-user-static and arch-test, to run programs for $1"
		apt-get -q update >/dev/null
		DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends qemu-user-static arch-test >/dev/null
	fi
	if [ ! -e "$FOREIGN_FORMATS/register" ]; then
		mount -t binfmt_misc binfmt_misc "$FOREIGN_FORMATS" ||
			{ say "cannot run programs for $1: this kernel, or this container, has no binfmt_misc" && return 1; }
		FOREIGN_MOUNTED=$FOREIGN_FORMATS
	fi
	if [ ! -e "$FOREIGN_FORMATS/$handler" ]; then
		grep "^:$handler:" "$format" >"$FOREIGN_FORMATS/register"
		FOREIGN_HANDLER=$FOREIGN_FORMATS/$handler
	fi
}

# forget_foreign undoes what run_foreign changed.
forget_foreign() {
	[ -z "${FOREIGN_HANDLER:-}" ] || echo -1 >"$FOREIGN_HANDLER"
	[ -z "${FOREIGN_MOUNTED:-}" ] || umount "$FOREIGN_MOUNTED"
	FOREIGN_HANDLER='' FOREIGN_MOUNTED=''
}
