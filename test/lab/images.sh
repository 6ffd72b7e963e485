# shellcheck shell=bash
# Builds the images of test hosts; lab.sh sources this file. The tag of each image ends in a hash over everything it is
# built from. So an existing image is up to date, and an unchanged one is never built twice.
#
#   dockhost-lab-base:SUITE-HASH      a minimal Debian of that suite, with systemd
#   dockhost-lab-workshop:HASH        the Debian packages for the images in the registry
#   dockhost-lab-registry:HASH        the storage directory of a registry with these images
#   dockhost-lab-host:SUITE-HASH      the test host, from Dockerfile.test; with ENGINE=29 another one above it

readonly INNER_SUITE=bookworm # the same for all test hosts, so that all registries have the same images
readonly BASE_PACKAGES=systemd,systemd-sysv,dbus,udev,iproute2,iptables,ca-certificates,procps,kmod
readonly WORKSHOP_PACKAGES=nginx-light,curl,openssl,ca-certificates,busybox-static,docker-registry
readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The options that let systemd and Docker run in the container. --privileged would need capabilities that a build machine
# may lack.
# shellcheck disable=SC2034,SC2054 # lab.sh uses it; the commas belong to tmpfs
readonly -a HOST_OPTIONS=(
	--cap-add=ALL --cap-drop=SYS_RESOURCE
	--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined
	--cgroupns=private
	--device-cgroup-rule 'c 10:229 rwm' # /dev/fuse, which the tests give to containers: Docker denies it by default
	--tmpfs /run:exec,mode=755 --tmpfs /run/lock:mode=1777 --tmpfs /tmp:exec,mode=1777
	--stop-timeout 30 --add-host registry.test:192.0.2.1
)

# hash_inputs FILE|DIR... prints a short hash of the files' names, modes and contents and of standard input.
hash_inputs() {
	{
		cat
		find "$@" -type f -printf '%p %m\n' | sort
		find "$@" -type f -print0 | sort -z | xargs -0 sha256sum
	} | sha256sum | cut -c1-12
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# find_archive prints the machine's Debian mirror and its keyring, as "URI KEYRING". It takes a second, so "up" calls it
# once and stores the result in $ARCHIVE.
find_archive() {
	if [ -n "${LAB_MIRROR:-}" ]; then
		echo "$LAB_MIRROR ${LAB_KEYRING:-$DEBIAN_KEYRING}"
		return
	fi
	local entry
	entry=$(debian_sources_entry)
	if [ -z "$entry" ]; then
		die "this machine's apt sources have no Debian archive (set LAB_MIRROR=http://..., and LAB_KEYRING to its keyring)"
	fi
	echo "${entry% *} $(signing_keyring "${entry#* }")"
}

# debian_sources_entry prints "URI FILE:NUMBER" for the Debian main archive. apt knows which entry that is, in any format,
# once it has fetched the lists.
debian_sources_entry() {
	command -v apt-get >/dev/null || return 0
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SUITE)|$(COMPONENT)|$(REPO_URI) $(SOURCESENTRY)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 !~ /-/ && $4 == "main" { print $5; exit }'
}

# signing_keyring FILE:NUMBER prints the keyring that this entry names, or Debian's. NUMBER is a paragraph of a .sources
# file, or a line of a .list file.
signing_keyring() {
	local file=${1%:*} number=${1##*:} keyring=
	case $file in
	*.sources) keyring=$(awk -v n="$number" 'BEGIN { RS = ""; FS = "\n" } NR == n { for (i = 1; i <= NF; i++)
			if (sub(/^[Ss]igned-[Bb]y:[ \t]*/, "", $i)) print $i }' "$file") ;;
	*) keyring=$(sed -nE "${number}s/.*signed-by=([^] ,]+).*/\1/p" "$file") ;;
	esac
	if [ -f "$keyring" ]; then echo "$keyring"; else echo "$DEBIAN_KEYRING"; fi
}

# import_debian SUITE PACKAGES TAG makes a minimal Debian and imports it as an image. It ignores the expiry dates of the
# mirror's lists: an old mirror is good enough for a test host.
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

# base_packages SUITE prints the packages of a minimal Debian. Debian's own installer has merged /usr since buster,
# mmdebstrap does since bookworm.
base_packages() {
	case $1 in
	buster | bullseye) echo "$BASE_PACKAGES,usrmerge" ;;
	*) echo "$BASE_PACKAGES" ;;
	esac
}

base_tag() {
	local suite=$1 hash
	hash=$({ echo "$suite $(base_packages "$suite") $ARCHIVE" && declare -f import_debian; } | sha256sum | cut -c1-12)
	echo "dockhost-lab-base:$suite-$hash"
}

ensure_base() {
	local suite=$1 tag
	tag=$(base_tag "$suite")
	have_image "$tag" && return
	say "$suite: making a minimal Debian (about half a minute)"
	logged "base-$suite" import_debian "$suite" "$(base_packages "$suite")" "$tag"
}

# build_app builds the test application, a static binary, in $CACHE. Without a build id it changes only with its code.
build_app() {
	command -v go >/dev/null || die "go is missing in PATH (install Go: https://go.dev/dl)"
	mkdir -p "$CACHE"
	(cd "$TOP" && CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$CACHE/dockhost-test-app.new" ./test/app)
	mv "$CACHE/dockhost-test-app.new" "$CACHE/dockhost-test-app"
}

# build TAG DOCKERFILE OPTION... -- TAR_ARGUMENT... builds an image from the context that tar packs. It uses the classic
# builder, which needs no plugin and is in every Docker since 20.10.
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

# ensure_registry builds the storage of a registry with the images of test/images, once for all suites.
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

# fill_registry WORKSHOP TAG runs a registry on a free loopback port, pushes the images, and imports its storage.
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

# cgroup_layout SUITE prints the cgroup layout of the suite's test host. The older suites test v1.
cgroup_layout() {
	case $1 in
	buster | bullseye | bookworm) echo v1 ;;
	*) echo v2 ;;
	esac
}

# host_tag SUITE prints the tag of the test host's image, debian_host_tag that of the one with Debian's Docker Engine.
host_tag() { if [ "$ENGINE" = 29 ]; then engine_host_tag "$1" "$STORE"; else debian_host_tag "$1"; fi; }

# engine_host_tag SUITE STORE prints the tag of the one with Docker Engine 29.
engine_host_tag() {
	echo "$(debian_host_tag "$1")-$(cd "$TOP" && { declare -f build_engine_host daemon_json && echo "$2"; } | hash_inputs test/lab/engine)"
}

debian_host_tag() {
	local suite=$1 hash
	hash=$(cd "$TOP" && { base_tag "$suite" && registry_tag && cgroup_layout "$suite" && echo "${HOST_OPTIONS[@]}"; } |
		hash_inputs Dockerfile.test test/lab/entrypoint test/lab/make-certificates test/lab/rootfs .cache/lab/dockhost-test-app)
	echo "dockhost-lab-host:$suite-$hash"
}

ensure_host() {
	local suite=$1 tag
	tag=$(debian_host_tag "$suite")
	if ! have_image "$tag"; then
		say "$suite: building the test host (a minute or two)"
		logged "host-$suite" build_debian_host "$suite" "$tag"
	fi
	if [ "$ENGINE" = 29 ]; then ensure_engine_host "$suite" "$tag"; fi
}

build_debian_host() {
	local suite=$1 tag=$2
	build "$tag" Dockerfile.test \
		--build-arg BASE="$(base_tag "$suite")" --build-arg REGISTRY="$(registry_tag)" --build-arg CGROUP="$(cgroup_layout "$suite")" -- \
		-C "$TOP" Dockerfile.test test/lab -C "$CACHE" dockhost-test-app
}

# check_engine SUITE checks what ENGINE and STORE ask for.
check_engine() {
	[[ $ENGINE =~ ^(29)?$ ]] || die "ENGINE=$ENGINE is not known (29 is, and nothing is Debian's)"
	[[ $STORE =~ ^(containerd|overlay2)$ ]] || die "STORE=$STORE is not known (containerd and overlay2 are)"
	[ "$ENGINE" != 29 ] || [ "$(cgroup_layout "$1")" = v2 ] || die "$1: ENGINE=29 needs a suite with cgroup v2"
}

ensure_engine_host() {
	local suite=$1 debian=$2 tag programs
	tag=$(host_tag "$suite")
	have_image "$tag" && return
	say "$suite: building Docker Engine 29 (10 to 20 minutes the first time)"
	programs=$("$TOP/test/lab/engine/build.sh") || die "$suite: Docker Engine 29 was not built"
	logged "engine-$suite" build_engine_host "$tag" "$debian" "$programs"
}

build_engine_host() {
	build "$1" Dockerfile --build-arg HOST="$2" --build-arg DAEMON_JSON="$(daemon_json)" -- \
		-C "$TOP/test/lab/engine" Dockerfile -C "$3" .
}

# daemon_json prints the configuration that selects the image store.
daemon_json() {
	case $STORE in
	containerd) echo '{"features": {"containerd-snapshotter": true}}' ;;
	overlay2) echo '{"features": {"containerd-snapshotter": false}, "storage-driver": "overlay2"}' ;;
	esac
}

# prune_images SUITE removes replaced images, except those that a test host still uses.
prune_images() {
	local suite=$1 current old
	current=$(base_tag "$suite" && debian_host_tag "$suite" && engine_host_tag "$suite" containerd &&
		engine_host_tag "$suite" overlay2 && workshop_tag && registry_tag)
	old=$(docker images --format '{{.Repository}}:{{.Tag}}' |
		grep -E "^dockhost-lab-((base|host):$suite-|(workshop|registry):)" | grep -vxF "$current" || true)
	if [ -n "$old" ]; then
		say "$suite: removing replaced images"
		xargs docker rmi <<<"$old" >/dev/null 2>&1 || true
	fi
}
