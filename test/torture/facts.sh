# Prints the facts of a host, in sections that begin with "== NAME". It prints nothing while the agent does not answer, or says
# that a container is not ready, unless FULL is set: the questions would keep the host busy.
[ -n "${FULL:-}" ] || curl -sS -m 30 --unix-socket /run/dockhost/agent.sock http://agent/v1/status 2>/dev/null |
	jq -e 'any(.containers[]; .ready | not) | not' >/dev/null 2>&1 || exit 0
section() { echo "== $1"; }
section status
status=$(timeout 30 dockhostctl status --json)
code=$?
jq -c . <<<"$status"
echo "exit $code"
section units
systemctl show -p Id -p ActiveState -p SubState -p MainPID -p ControlGroup -p Result 'dockhost@*.service' dockhost.service
section containers
# One curl for all containers takes a tenth of the time of docker ps and docker inspect.
ask() { curl -sS -m 10 --unix-socket /run/docker.sock "${@/#/http://docker/}" 2>/dev/null; }
ids=$(ask 'containers/json?all=1' | jq -r '.[] | "containers/\(.Id)/json"') || echo '{"error": "Docker does not list its containers"}'
mapfile -t urls <<<"$ids"
[ -z "$ids" ] || ask "${urls[@]}" | jq -c 'if .Id then {id: .Id, name: .Name, status: .State.Status, pid: .State.Pid, image: .Config.Image, env: .Config.Env, unit: .Config.Labels["dockhost.unit"], merged: .GraphDriver.Data.MergedDir} else {error: .message} end'
section cgroups
find /sys/fs/cgroup -type d \( -name 'dockhost@*.service' -o -name 'docker-*.scope' -o -path '*/docker/*' \)
section processes
find /sys/fs/cgroup \( -path '*/dockhost@*' -o -path '*/docker[-/]*' \) -name cgroup.procs -exec grep -H . {} +
section programs
pgrep -x app
section shims
pgrep -a containerd-shim
section files
find /run/dockhost /var/lib/dockhost/updates -mindepth 1 -printf '%y %m %p\n'
section dropins
ls -d /run/systemd/system/dockhost@*.service.d
section mounts
awk '$3 == "overlay" && $2 ~ /\/merged$/ {print $2}' /proc/self/mounts
section volumes
ask volumes | jq -r '.Volumes[]?.Name'
section wanted
sed -n 's/.*REVISION: "\(.*\)"}/data \1/p' /root/torture/user-data
sed 's/^/extra /' /root/torture/extra
