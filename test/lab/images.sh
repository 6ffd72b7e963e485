# shellcheck shell=bash
# The images that test hosts are made of; lab.sh sources this file. The tag of each image ends in a hash over all that it
# is made from: an image that is there is up to date, and what nothing changed about is never built twice.
#
#   dockhost-lab-base:SUITE-HASH      a minimal Debian of that suite, with systemd
#   dockhost-lab-workshop:HASH        Debian packages that the images in the registry are made from
#   dockhost-lab-registry:HASH        the storage directory of a registry that holds these images
#   dockhost-lab-host:SUITE-HASH      the test host, from Dockerfile.test

readonly INNER_SUITE=bookworm # so that every test host has the same images in its registry, whatever its own suite is
readonly BASE_PACKAGES=systemd,systemd-sysv,dbus,udev,iproute2,iptables,ca-certificates,procps,kmod
readonly WORKSHOP_PACKAGES=nginx-light,curl,openssl,ca-certificates,busybox-static,docker-registry
readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The options that make the container a machine. Not --privileged: that needs capabilities a build machine may lack.
# shellcheck disable=SC2034,SC2054 # lab.sh uses it; the commas belong to tmpfs
readonly -a HOST_OPTIONS=(
	--cap-add=ALL --cap-drop=SYS_RESOURCE
	--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined
	--cgroupns=private
	--device-cgroup-rule 'c 10:229 rwm' # /dev/fuse, for the tests to pass on: Docker lets no container have it by default
	--tmpfs /run:exec,mode=755 --tmpfs /run/lock:mode=1777 --tmpfs /tmp:exec,mode=1777
	--stop-timeout 30 --add-host registry.test:192.0.2.1
)

# hash_inputs FILE|DIR... prints a short hash over the files' names, modes and contents and over standard input.
hash_inputs() {
	{
		cat
		find "$@" -type f -printf '%p %m\n' | sort
		find "$@" -type f -print0 | sort -z | xargs -0 sha256sum
	} | sha256sum | cut -c1-12
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# find_archive prints the machine's Debian mirror and the keyring that signs it, as "URI KEYRING". It takes a second, so
# that "up" asks once and keeps the answer in $ARCHIVE.
find_archive() {
	if [ -n "${LAB_MIRROR:-}" ]; then
		echo "$LAB_MIRROR ${LAB_KEYRING:-$DEBIAN_KEYRING}"
		return
	fi
	local found
	found=$(debian_sources_entry)
	if [ -z "$found" ]; then
		die "no Debian archive in this machine's apt sources (set LAB_MIRROR=http://... to one, and LAB_KEYRING to its keyring)"
	fi
	echo "${found% *} $(signing_keyring "${found#* }")"
}

# debian_sources_entry prints "URI FILE:NUMBER" for the Debian main archive. apt itself tells it from the archives of
# vendors, of updates and of security fixes, whatever the format of the file, if it ever fetched the lists.
debian_sources_entry() {
	command -v apt-get >/dev/null || return 0
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SUITE)|$(COMPONENT)|$(REPO_URI) $(SOURCESENTRY)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 !~ /-/ && $4 == "main" { print $5; exit }'
}

# signing_keyring FILE:NUMBER prints the keyring that this entry names (a .sources file counts paragraphs, a .list file
# lines), or Debian's own.
signing_keyring() {
	local file=${1%:*} number=${1##*:} keyring=
	case $file in
	*.sources) keyring=$(awk -v n="$number" 'BEGIN { RS = ""; FS = "\n" } NR == n { for (i = 1; i <= NF; i++)
			if (sub(/^[Ss]igned-[Bb]y:[ \t]*/, "", $i)) print $i }' "$file") ;;
	*) keyring=$(sed -nE "${number}s/.*signed-by=([^] ,]+).*/\1/p" "$file") ;;
	esac
	if [ -f "$keyring" ]; then echo "$keyring"; else echo "$DEBIAN_KEYRING"; fi
}

# import_debian SUITE PACKAGES TAG makes a minimal Debian and imports it as an image. A mirror that was frozen some time ago
# is good enough for a test host, so that the expiry dates of its lists are of no interest.
import_debian() {
	local suite=$1 packages=$2 tag=$3 uri=${ARCHIVE% *} keyring=${ARCHIVE#* } id
	id=$(mmdebstrap --variant=minbase --include="$packages" \
		--aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--setup-hook="install -D -m 644 '$keyring' \"\$1/$keyring\"" \
		"$suite" - "deb [signed-by=$keyring] $uri $suite main" |
		docker import --change 'ENV LANG=C.UTF-8' -) &&
		docker tag "$id" "$tag"
}

base_tag() {
	local suite=$1 hash
	hash=$({ echo "$suite $BASE_PACKAGES $ARCHIVE" && declare -f import_debian; } | sha256sum | cut -c1-12)
	echo "dockhost-lab-base:$suite-$hash"
}

ensure_base() {
	local suite=$1 tag
	tag=$(base_tag "$suite")
	have_image "$tag" && return
	say "$suite: making a minimal Debian (about half a minute)"
	logged "base-$suite" import_debian "$suite" "$BASE_PACKAGES" "$tag"
}

# build_app leaves the test application, a static binary, in $CACHE. Without a build id it changes only when its code does.
build_app() {
	command -v go >/dev/null || die "no go in PATH (install Go: https://go.dev/dl)"
	mkdir -p "$CACHE"
	(cd "$TOP" && CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$CACHE/dockhost-test-app.new" ./test/app)
	mv "$CACHE/dockhost-test-app.new" "$CACHE/dockhost-test-app"
}

# build TAG DOCKERFILE OPTION... -- TAR_ARGUMENT... builds with what tar packs as the context. The classic builder does:
# it needs no plugin, and is in every Docker from 20.10 on.
build() {
	local tag=$1 file=$2 options=()
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	tar -c "${@:2}" | DOCKER_BUILDKIT=0 docker build --network host -t "$tag" -f "$file" "${options[@]}" -
}

workshop_tag() {
	local hash
	hash=$({ echo "$INNER_SUITE $WORKSHOP_PACKAGES $ARCHIVE" && declare -f import_debian; } | sha256sum | cut -c1-12)
	echo "dockhost-lab-workshop:$hash"
}

registry_tag() {
	local hash
	hash=$(cd "$TOP" && { workshop_tag && declare -f fill_registry push_images build_inner; } |
		hash_inputs test/images .cache/lab/dockhost-test-app)
	echo "dockhost-lab-registry:$hash"
}

# ensure_registry makes, once for all suites, the storage of a registry that holds the images of test/images.
ensure_registry() {
	local tag workshop
	tag=$(registry_tag)
	have_image "$tag" && return
	workshop=$(workshop_tag)
	if ! have_image "$workshop"; then
		say "images: fetching nginx, busybox and a registry from Debian $INNER_SUITE (about half a minute)"
		logged workshop import_debian "$INNER_SUITE" "$WORKSHOP_PACKAGES" "$workshop"
	fi
	say "images: building nginx, busybox and the test application, and filling the registry (about a minute)"
	logged registry fill_registry "$workshop" "$tag"
}

# fill_registry WORKSHOP TAG runs a registry on a free port of the loopback interface, pushes to it, and imports its storage.
fill_registry() {
	local workshop=$1 tag=$2 filler=dockhost-lab.filler address id
	docker rm -f "$filler" >/dev/null 2>&1 || true
	docker run -d --name "$filler" -p 127.0.0.1::5000 -e REGISTRY_HTTP_ADDR=:5000 -e REGISTRY_AUTH=none \
		-e REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/filled "$workshop" \
		docker-registry serve /etc/docker/registry/config.yml &&
		address=$(docker port "$filler" 5000/tcp | head -n 1) &&
		wait_until 30 "registry at $address" curl -fsS -o /dev/null "http://$address/v2/" &&
		push_images "$workshop" "$address" &&
		id=$(docker cp "$filler:/filled/." - | docker import -) &&
		docker tag "$id" "$tag" &&
		docker rm -f "$filler"
}

push_images() {
	local workshop=$1 registry=$2 busybox version
	busybox=$(docker run --rm "$workshop" busybox | sed -nE '1s/^BusyBox v([0-9]+\.[0-9]+).*/\1/p') &&
		[ -n "$busybox" ] &&
		build_inner "$workshop" busybox "$registry/busybox:$busybox" &&
		docker tag "$registry/busybox:$busybox" "$registry/busybox:latest" &&
		docker push -q "$registry/busybox:$busybox" &&
		docker push -q "$registry/busybox:latest" || return
	for version in 1.22 1.22-2; do
		build_inner "$workshop" nginx "$registry/nginx:$version" --build-arg VERSION="$version" &&
			docker push -q "$registry/nginx:$version" || return
	done
	for version in 1 2 3; do
		build_inner "$workshop" app "$registry/app:$version" --build-arg VERSION="$version" --target app &&
			docker push -q "$registry/app:$version" || return
	done
	build_inner "$workshop" app "$registry/app:big" --build-arg VERSION=big --target big &&
		docker push -q "$registry/app:big" &&
		docker images --format '{{.Repository}}:{{.Tag}}' "$registry/*" | xargs docker rmi &&
		docker image prune -f --filter label=dockhost.lab.stage
}

# build_inner WORKSHOP NAME TAG OPTION...
build_inner() {
	local workshop=$1 name=$2 tag=$3
	build "$tag" Dockerfile --build-arg WORKSHOP="$workshop" "${@:4}" -- \
		-C "$TOP/test/images/$name" . -C "$CACHE" dockhost-test-app
}

# cgroup_layout SUITE prints the layout that a machine of that suite is tested with: the older ones stand for hosts that
# still have v1.
cgroup_layout() {
	case $1 in
	buster | bullseye | bookworm) echo v1 ;;
	*) echo v2 ;;
	esac
}

host_tag() {
	local suite=$1 hash
	hash=$(cd "$TOP" && { base_tag "$suite" && registry_tag && cgroup_layout "$suite" && echo "${HOST_OPTIONS[@]}"; } |
		hash_inputs Dockerfile.test test/lab/entrypoint test/lab/make-certificates test/lab/rootfs .cache/lab/dockhost-test-app)
	echo "dockhost-lab-host:$suite-$hash"
}

ensure_host() {
	local suite=$1 tag
	tag=$(host_tag "$suite")
	have_image "$tag" && return
	say "$suite: building the test host (a minute or two)"
	logged "host-$suite" build "$tag" Dockerfile.test \
		--build-arg BASE="$(base_tag "$suite")" --build-arg REGISTRY="$(registry_tag)" --build-arg CGROUP="$(cgroup_layout "$suite")" -- \
		-C "$TOP" Dockerfile.test test/lab -C "$CACHE" dockhost-test-app
}

# prune_images SUITE removes what the current images have replaced. Those that a test host still uses stay.
prune_images() {
	local suite=$1 kept old
	kept=$(base_tag "$suite" && host_tag "$suite" && workshop_tag && registry_tag)
	old=$(docker images --format '{{.Repository}}:{{.Tag}}' |
		grep -E "^dockhost-lab-((base|host):$suite-|(workshop|registry):)" | grep -vxF "$kept" || true)
	if [ -n "$old" ]; then
		say "$suite: removing images that were replaced"
		xargs docker rmi <<<"$old" >/dev/null 2>&1 || true
	fi
}
