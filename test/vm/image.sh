#!/usr/bin/env bash
# Makes the files that the virtual machines boot: a disk image of a Debian suite, baked by packaging/bake like any other,
# its kernel, and an initrd.
#
#   image.sh SUITE           makes the files unless they are up to date, and prints their directory
#   image.sh SUITE PROGRAM   the same, and bake runs PROGRAM (--hook), which has app.tar as /app.tar
#
# The directory, .cache/vm/SUITE-HASH (for ARCH=arm64: .cache/vm/arm64/SUITE-HASH), has disk.raw (ext4, without a partition table), vmlinuz, initrd, app.tar (the
# preloaded container image), and base.tar (the file system before bake).
#
# Environment:
#   ARCH               the machine's CPU: amd64 (the default) or arm64
#   DOCKHOST_PACKAGE   a deb to install instead of the tree in build/root
#   LAB_MIRROR         Debian mirror, if the machine's apt sources name none; LAB_KEYRING: its keyring
#
# It needs root, but no loop device. For another CPU than this machine's, it has the kernel run programs under qemu meanwhile.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly TOP ARCH=${ARCH:-amd64}
CACHE=$TOP/.cache/vm
[ "$ARCH" = amd64 ] || CACHE+=/$ARCH
readonly CACHE
readonly DISK_SIZE=4G
readonly IMAGE=localhost:5000/app:1 # the machine has no registry, so only a preloaded image runs
# The packages of the image, apart from those that bake installs.
readonly VM_PACKAGES=systemd,systemd-sysv,systemd-resolved,udev,dbus,linux-image-cloud-$ARCH,initramfs-tools,cloud-init,busybox-static,iproute2,qemu-guest-agent,ca-certificates,procps,kmod,e2fsprogs,curl

say() { echo "vm: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# shellcheck source=test/lab/images.sh
source "$TOP/test/lab/images.sh" # for the machine's Debian mirror, and hashes
# shellcheck source=test/lab/foreign.sh
source "$TOP/test/lab/foreign.sh"

usage() {
	sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# base SUITE makes the file system before bake unless it is up to date, and prints its file.
base() {
	local suite=$1 hash file uri=${ARCHIVE% *} keyring=${ARCHIVE#* }
	hash=$({ echo "$suite $VM_PACKAGES $ARCHIVE" && declare -f base; } | sha256sum | cut -c1-12)
	file=$CACHE/base-$suite-$hash.tar
	if [ ! -e "$file" ]; then
		say "$suite: fetching a Debian with a kernel and cloud-init (a minute or two; log: $CACHE/base-$suite.log)"
		# The machines boot another initrd.
		INITRD=No mmdebstrap --architectures="$ARCH" --variant=minbase --include="$VM_PACKAGES" \
			--aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
			--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
			--setup-hook="install -D -m 644 '$keyring' \"\$1/$keyring\"" \
			"$suite" "${file%.tar}.new.tar" "deb [signed-by=$keyring] $uri $suite main" >"$CACHE/base-$suite.log" 2>&1 </dev/null ||
			die "$suite: mmdebstrap failed (see $CACHE/base-$suite.log)"
		mv "${file%.tar}.new.tar" "$file"
	fi
	echo "$file"
}

# make_app DIR makes an image of test/app for `docker load`, without Docker. It changes only with its code. Its health
# checks are rare: each starts four programs, for which an emulated CPU needs a second.
make_app() {
	local dir=$1 layer config
	mkdir -p "$dir/layer"
	(cd "$TOP" && CGO_ENABLED=0 GOOS=linux GOARCH="$ARCH" go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$dir/layer/app" ./test/app)
	pack -C "$dir/layer" . >"$dir/layer.tar"
	layer=$(sha256sum <"$dir/layer.tar" | cut -d' ' -f1)
	cat >"$dir/config.json" <<-END
		{"architecture":"$ARCH","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Entrypoint":["/app"],
		"Env":["APP_VERSION=1"],"Healthcheck":{"Test":["CMD","/app","-check",":8080"],"Interval":5000000000,
		"Timeout":10000000000,"StartPeriod":60000000000,"Retries":5}},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},
		"history":[{"created":"1970-01-01T00:00:00Z"}]}
	END
	config=$(sha256sum <"$dir/config.json" | cut -d' ' -f1)
	mv "$dir/config.json" "$dir/$config.json"
	echo '[{"Config":"'"$config"'.json","RepoTags":["'"$IMAGE"'"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
	pack -C "$dir" manifest.json "$config.json" layer.tar >"$dir/app.tar"
}

# pack ARGUMENT... runs tar such that the same files give the same output.
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c "$@"; }

# settle ROOT prepares the machine for the tests: the network works without cloud-init, the guest agent runs, and services
# that a short-lived machine does not need are masked.
settle() {
	local root=$1 unit
	cp -a "$TOP/test/vm/rootfs/." "$root/"
	echo vm >"$root/etc/hostname"
	chroot "$root" passwd -qd root
	SYSTEMD_LOG_LEVEL=err chroot "$root" systemctl --quiet enable systemd-networkd.service systemd-resolved.service
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
		fstrim.timer systemd-networkd-wait-online.service systemd-timesyncd.service systemd-binfmt.service \
		systemd-pstore.service systemd-tpm2-setup.service systemd-tpm2-setup-early.service keyboard-setup.service \
		console-setup.service getty@tty1.service serial-getty@ttyS0.service serial-getty@ttyAMA0.service sys-kernel-debug.mount \
		sys-kernel-tracing.mount modprobe@drm.service modprobe@efi_pstore.service \
		apparmor.service; do # Docker loads its own profile
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	# Each generator is a process at every daemon-reload.
	mkdir -p "$root/etc/systemd/system-generators"
	for unit in gpt-auto ssh hibernate-resume cryptsetup integritysetup veritysetup tpm2 bless-boot rc-local sysv; do
		ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$unit-generator"
	done
}

# make_initrd ROOT FILE makes an initrd for a root file system on a virtio disk with ext4. It is not compressed, because a
# slow CPU has to unpack it.
make_initrd() {
	local root=$1 file=$2 dir=$2.d kernel module path
	kernel=$(basename "$root"/lib/modules/*)
	mkdir -p "$dir"/{bin,dev,proc,modules,root}
	cp "$root/bin/busybox" "$dir/bin/"
	# Some modules may be built into the packaged kernel.
	for module in virtio_pci virtio_blk ext4; do
		chroot "$root" modprobe -S "$kernel" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++' | while read -r path; do
		module=$(basename "${path%.xz}")
		if [[ $path = *.xz ]]; then xz -dc "$root$path"; else cat "$root$path"; fi >"$dir/modules/$module"
		echo "$module" >>"$dir/modules/in-order"
	done
	install -m 0755 "$TOP/test/vm/initrd-init" "$dir/init"
	(cd "$dir" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$file"
	rm -rf "$dir"
}

# make_image SUITE DIR
make_image() {
	local suite=$1 dir=$2 root=$2/root source=(--tree "$TOP/build/root")
	[ -z "${DOCKHOST_PACKAGE:-}" ] || source=(--package "$DOCKHOST_PACKAGE")
	mkdir -p "$root"
	tar -C "$root" --xattrs --xattrs-include='*' -xf "$BASE"
	settle "$root"
	if [ -n "$HOOK" ]; then
		source+=(--hook "$HOOK")
		cp "$APP/app.tar" "$root/app.tar"
	fi
	say "$suite: baking (log: $CACHE/bake-$suite.log)"
	"$TOP/packaging/bake" "${source[@]}" --apt-option Acquire::Check-Valid-Until=false --preload "$APP/app.tar" "$root" \
		>"$CACHE/bake-$suite.log" 2>&1 || { tail -n 20 "$CACHE/bake-$suite.log" >&2 && die "$suite: bake failed, see above"; }
	touch "$root/etc/.updated" "$root/var/.updated" # systemd updates nothing at the first boot
	cp "$APP/app.tar" "$dir/"
	ln -s "$BASE" "$dir/base.tar"
	cp -L "$root"/boot/vmlinuz-* "$dir/vmlinuz"
	make_initrd "$root" "$dir/initrd"
	truncate -s "$DISK_SIZE" "$dir/disk.raw"
	/usr/sbin/mke2fs -q -t ext4 -L root -E lazy_itable_init=1 -d "$root" "$dir/disk.raw"
	rm -rf "$root"
}

image() {
	local suite=$1 name=$1 hash dir
	[ -z "$HOOK" ] || name+=.$(basename "$HOOK" .sh)
	hash=$({ echo "$BASE" && sha256sum <"$APP/app.tar" && declare -f make_image settle make_initrd; } | hash_inputs \
		"$TOP/packaging/bake" "$TOP/test/vm/rootfs" "$TOP/test/vm/initrd-init" "${DOCKHOST_PACKAGE:-$TOP/build/root}" ${HOOK:+"$HOOK"})
	dir=$CACHE/$name-$hash
	if [ ! -d "$dir" ]; then
		remove_tree "$dir.new"
		make_image "$suite" "$dir.new"
		mv "$dir.new" "$dir"
		forget_others "$suite" "$name" "$dir"
	fi
	echo "$dir"
}

remove_tree() { rm -rf --one-file-system "$1"; }

# forget_others SUITE NAME DIR removes the images that DIR replaces.
forget_others() {
	local old
	for old in "$CACHE/$2"-* "$CACHE/base-$1"-*.tar*; do
		if [ -e "$old" ] && [ "$old" != "$3" ] && [ "$old" != "$BASE" ]; then remove_tree "$old"; fi
	done
}

main() {
	local suite=${1:-}
	HOOK=${2:+$(realpath "$2")}
	[[ $suite =~ ^[a-z]+$ ]] || usage
	[ "$(id -u)" = 0 ] || die "only root can make disk images"
	[ -d "$TOP/build/root" ] || [ -n "${DOCKHOST_PACKAGE:-}" ] || die "the directory $TOP/build/root is missing (run: make install)"
	mkdir -p "$CACHE"
	exec 9>"$CACHE/$suite.lock"
	flock 9
	ARCHIVE=$(find_archive)
	APP=$(mktemp -d)
	trap 'rm -rf "$APP"; forget_foreign' EXIT
	run_foreign "$ARCH"
	make_app "$APP"
	BASE=$(base "$suite" 9>&-)
	image "$suite" 9>&-
}

main "$@"
