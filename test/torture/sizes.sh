# Prints "UNIT PID DESCRIPTORS KIB" for each process of dockhost; the latter is its anonymous memory.
while IFS='|' read -r unit pid; do
	fds=("/proc/$pid/fd"/*)
	echo "$unit $pid ${#fds[@]} $(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")"
done < <(systemctl show -p Id -p MainPID dockhost.service 'dockhost@*.service' | sed -n 's/^Id=/id /p; s/^MainPID=/pid /p' |
	awk '$1 == "id" {id = $2} $1 == "pid" {pid = $2} id && pid {print id "|" pid; id = pid = ""}')
