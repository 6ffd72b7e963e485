# Prints what is checked once after each step, in sections that begin with "== NAME".
section() { echo "== $1"; }
section broken
shopt -s nullglob
files=(/run/dockhost/{state,containers,runtime,logins}/*.json /var/lib/dockhost{,/updates}/*.json)
jq -es "all(.) and length == ${#files[@]}" "${files[@]}" >/dev/null 2>&1 || for file in "${files[@]}"; do
	jq -e . "$file" >/dev/null 2>&1 || echo "$file"
done
section secrets
journalctl --sync
journalctl --no-pager -q -o json --cursor-file=/root/torture/journal.cursor | grep -cFf /root/torture/secrets | sed 's/^/journal /'
{ dockhostctl status; systemctl status --no-pager -l -n 0 dockhost.service 'dockhost@*.service'; } 2>&1 | grep -cFf /root/torture/secrets | sed 's/^/status /'
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -cFf /root/torture/secrets | sed 's/^/arguments /'
find /run/dockhost /var/lib/dockhost /run/systemd -type f -perm /044 -exec grep -lFf /root/torture/secrets {} + 2>/dev/null | sed 's/^/file /'
section lines
journalctl --no-pager -q -o cat --cursor-file=/root/torture/lines.cursor _SYSTEMD_UNIT=dockhost@logger.service SYSLOG_IDENTIFIER=logger | sed -n 's/^line \([0-9]*\) of.*/\1/p'
section history
timeout 30 dockhostctl history --json | jq -c --argjson since "$(cat /root/torture/since)" '.[] | select((.ended | sub("\\.[0-9]+"; "") | fromdate) >= ($since | floor))'
section born
cat "$(curl -s --unix-socket /run/docker.sock http://docker/containers/data/json | jq -r '.Mounts[].Source')/born"
