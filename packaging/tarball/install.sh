#!/bin/sh
# Installs dockhost on a host whose /usr is read-only, such as Flatcar: programs in /opt, units in /etc. A second run
# upgrades: it restarts the agent, but no container.
#
#   install.sh            install or upgrade
#   install.sh --remove   stop all containers of dockhost and remove it; configuration and assignment stay
set -eu
cd "$(dirname "$0")"

units="dockhost.service dockhost.socket dockhost@.service dockhost-assigned.target"

booted() { [ -d /run/systemd/system ]; }

install_all() {
	first=$([ -e /etc/systemd/system/dockhost.service ] || echo yes)
	mkdir -p /opt/bin /opt/libexec/dockhost /opt/share/dockhost /etc/systemd/system /etc/tmpfiles.d /etc/sysusers.d /etc/needrestart/conf.d
	# The kernel refuses to write to a running program, so replace it by a rename.
	for file in bin/dockhost libexec/dockhost/dockhost-agent libexec/dockhost/dockhost-runtime libexec/dockhost/dockhost-supervise; do
		cp "$file" "/opt/$file.new"
		mv -f "/opt/$file.new" "/opt/$file"
	done
	ln -sf dockhost /opt/bin/dockhostctl
	ln -sf ../../bin/dockhost /opt/libexec/dockhost/systemd-docker
	cp -r share/dockhost/. /opt/share/dockhost
	cp etc/systemd/system/* /etc/systemd/system
	cp etc/tmpfiles.d/* /etc/tmpfiles.d
	cp etc/sysusers.d/* /etc/sysusers.d
	cp etc/needrestart/conf.d/* /etc/needrestart/conf.d
	systemd-sysusers dockhost.conf
	if booted; then
		systemd-tmpfiles --create dockhost.conf
		systemctl daemon-reload
	fi
	[ -z "$first" ] || systemctl --no-reload --quiet enable dockhost.socket dockhost.service
	/opt/bin/dockhost setup
	if booted; then
		[ -z "$first" ] || systemctl start dockhost.socket dockhost.service
		systemctl try-restart dockhost.service
	fi
}

remove_all() {
	if booted; then systemctl stop dockhost.socket dockhost.service dockhost-assigned.target 'dockhost@*.service'; fi
	systemctl --no-reload --quiet disable dockhost.socket dockhost.service
	/opt/bin/dockhost setup --remove
	for unit in $units; do rm -f "/etc/systemd/system/$unit"; done
	rm -f /etc/tmpfiles.d/dockhost.conf /etc/sysusers.d/dockhost.conf /etc/needrestart/conf.d/dockhost.conf /opt/bin/dockhost /opt/bin/dockhostctl
	rmdir --ignore-fail-on-non-empty /etc/needrestart/conf.d /etc/needrestart 2>/dev/null || true
	rm -rf /opt/libexec/dockhost /opt/share/dockhost /run/dockhost
	rm -f /var/lib/cloud/handlers/dockhost.py /var/lib/dockhost/reserve /run/systemd/system/*.device.wants/dockhost@*.service
	# Remove only what the agent has written for this boot.
	grep -lsr '^# Written by dockhost.service' /run/systemd/system | while read -r file; do rm -f "$file"; done
	rmdir --ignore-fail-on-non-empty /run/systemd/system/dockhost@*.service.d 2>/dev/null || true
	if booted; then systemctl daemon-reload; fi
}

case ${1:-} in
"") install_all ;;
--remove) remove_all ;;
*)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
