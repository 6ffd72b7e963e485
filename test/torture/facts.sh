# Prints the facts of a host, in sections that begin with "== NAME". While the status says that a container is not ready, the
# status is enough, unless FULL is set: the other questions would keep the host busy.
section() { echo "== $1"; }
section status
status=$(timeout 30 dockhostctl status --json)
code=$?
jq -c . <<<"$status"
echo "exit $code"
[ -n "${FULL:-}" ] || [ $code = 0 ] || ! jq -e 'any(.containers[]; .ready | not)' <<<"$status" >/dev/null || exit 0
section units
systemctl show -p Id -p ActiveState -p SubState -p MainPID -p ControlGroup -p Result 'dockhost@*.service' dockhost.service
section containers
timeout 10 docker ps -aq --no-trunc >/root/torture/ids || echo '{"error": "docker ps does not answer"}'
xargs -r timeout 10 docker inspect </root/torture/ids | jq -c '.[] | {id: .Id, name: .Name, status: .State.Status, pid: .State.Pid, image: .Config.Image, env: .Config.Env, unit: .Config.Labels["dockhost.unit"], merged: .GraphDriver.Data.MergedDir}'
section cgroups
find /sys/fs/cgroup -type d \( -name 'dockhost@*.service' -o -name 'docker-*.scope' -o -path '*/docker/*' \)
section processes
find /sys/fs/cgroup \( -path '*/dockhost@*' -o -path '*/docker[-/]*' \) -name cgroup.procs -exec grep -H . {} +
section programs
pgrep -x app
section shims
pgrep -a containerd-shim
section files
find /run/dockhost -mindepth 1 -printf '%y %m %p\n'
section dropins
ls -d /run/systemd/system/dockhost@*.service.d
section mounts
awk '$3 == "overlay" && $2 ~ /\/merged$/ {print $2}' /proc/self/mounts
section volumes
docker volume ls -q
section wanted
sed -n 's/.*REVISION: "\(.*\)"}/data \1/p' /root/torture/user-data
sed 's/^/extra /' /root/torture/extra
