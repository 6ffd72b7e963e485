package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clearScript stops Docker and dockhost on a host, whatever a step has left, and removes all that is assigned.
const clearScript = `
for pid in $(pgrep -x 'dockerd|containerd|containerd-shim|docker-registry|dockhost|dockhost-agent|dockhost-supervi|app|sh|sleep'); do kill -CONT $pid 2>/dev/null; done
if mountpoint -q /var/lib/dockhost; then umount -l /var/lib/dockhost; fi
if mountpoint -q $work/lib; then umount $work/lib; fi
tc qdisc del dev lo root 2>/dev/null
rm -f $work/hit-* $work/*.cursor /run/torture-docker/full
systemctl stop torture-registry.service 2>/dev/null
timeout 60 systemctl stop dockhost.service dockhost.socket 'dockhost@*.service'
systemctl kill -s KILL dockhost.service 'dockhost@*.service' 2>/dev/null
timeout 60 systemctl stop docker.service docker.socket
pgrep containerd-shim | xargs -r kill -9
systemctl reset-failed
rm -rf $seed /etc/dockhost/* /var/lib/dockhost/* /run/dockhost/{containers,state,logins,files,images,pulled,runtime}/*
rm -rf /run/systemd/system/dockhost.service.d /run/systemd/system/dockhost@*.service.d
systemctl daemon-reload
systemd-tmpfiles --create /usr/lib/tmpfiles.d/dockhost*.conf
if mountpoint -q /run/torture-docker; then umount -l /run/torture-docker; fi
`

// resetScript returns a host to its state after the first boot, and assigns the containers. It has the variables
// LIVE_RESTORE and SMALL_DISK.
const resetScript = clearScript + `
mkdir -p /run/torture-docker
jq --argjson live $LIVE_RESTORE '.["live-restore"] = $live | del(.["data-root"])' /etc/docker/daemon.json >$work/daemon.json
if [ $SMALL_DISK = true ]; then
	mount -t tmpfs -o size=200m torture /run/torture-docker
	jq '.["data-root"] = "/run/torture-docker"' $work/daemon.json >$work/small.json && mv $work/small.json $work/daemon.json
fi
cp $work/daemon.json /etc/docker/daemon.json
set -e
systemctl restart containerd.service
systemctl start docker.socket docker.service docker-registry.service
ids=$(docker ps -aq) && [ -z "$ids" ] || docker rm -fv $ids >/dev/null
volumes=$(docker volume ls -q) && [ -z "$volumes" ] || docker volume rm -f $volumes >/dev/null
dockhost setup 2>/dev/null
registry_answers
docker login -u deploy --password-stdin localhost:5000 <$work/password >/dev/null 2>&1
assign
systemctl start dockhost.socket dockhost.service
declare_extra
`

// tidyScript leaves a host as lab.sh makes it.
const tidyScript = clearScript + `
jq 'del(.["live-restore"], .["data-root"])' /etc/docker/daemon.json >$work/daemon.json && cp $work/daemon.json /etc/docker/daemon.json
systemctl start docker.socket docker.service docker-registry.service dockhost.socket dockhost.service
`

// tidy leaves the host to others, also after ctx has ended.
func (d *driver) tidy(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if out, status, err := d.host.try(limited, library+tidyScript); err != nil || status != 0 {
		d.report.note("the host is not tidy: exit status %d, %v: %s", status, err, out)
	}
}

// reset returns the host to its state after the first boot, in a setting, assigns the containers, and waits until they
// run. If that fails, it cuts the host's power and tries once more.
func (d *driver) reset(ctx context.Context, s setting) error {
	d.watch, d.setting = watch{}, s
	err := d.tryReset(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	d.report.note("reset: %v; cutting the power", err)
	if err := d.host.restart(ctx, true); err != nil {
		return err
	}
	return d.tryReset(ctx)
}

func (d *driver) tryReset(ctx context.Context) error {
	files := map[string]string{
		"user-data": userData, "extra": "0\n", "extra.env": "TOKEN=" + secretOfRun + "\n", "password": password, "refuse.py": refusePy,
		"secrets": strings.Join([]string{secretOfUserData, secretOfRun, password}, "\n") + "\n",
	}
	for name, text := range files {
		if err := d.host.write(ctx, "/root/torture/"+name, text); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	out, status, err := d.host.try(limited, library+fmt.Sprintf("LIVE_RESTORE=%t SMALL_DISK=%t\n", d.setting.liveRestore, d.setting.smallDisk)+resetScript)
	if err != nil || status != 0 {
		return fmt.Errorf("reset exits %d: %w: %s", status, err, out)
	}
	wrong, _, err := d.settle(ctx)
	if err != nil {
		return fmt.Errorf("after the reset: %w", err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("after the reset: %s", strings.Join(wrong, "; "))
	}
	_, err = d.host.run(ctx, fromHereScript)
	return err
}

// fromHereScript makes deep.sh read the journal from here on, and not all that earlier tests have left.
const fromHereScript = `journalctl --sync
cd /root/torture && journalctl --no-pager -q -n 1 --cursor-file=journal.cursor >/dev/null && cp journal.cursor lines.cursor`

// evidence prints what a person needs to find the cause of a violation.
const evidence = `
journalctl --no-pager -o short-precise --since @$(cut -d. -f1 /root/torture/since) | grep -vE 'line [0-9]* of the test app|loading plugin|skip loading|eft-over process|unclean termination|remains running after' | tail -n 400
echo; timeout 20 dockhostctl status
echo; timeout 10 docker ps -a --no-trunc
echo; systemctl status --no-pager -l -n 0 'dockhost@*.service' dockhost.service docker.service
echo; systemctl list-jobs --no-pager
echo; head -n 50 /run/dockhost/state/*.json /run/dockhost/runtime/*.json; find /run/dockhost -ls
echo; ps -eo pid,ppid,stat,lstart,args
echo; grep -E 'torture|merged' /proc/self/mounts
`

// keepEvidence writes what the host says after a violation into a file.
func (d *driver) keepEvidence(ctx context.Context, s step, wrong []string) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, _, err := d.host.try(limited, evidence)
	if err != nil {
		out += err.Error()
	}
	file := filepath.Join(d.options.evidence, fmt.Sprintf("%s-seed%d-step%d.txt", d.options.suite, d.options.seed, s.number))
	text := fmt.Sprintf("%s\n%s\n\n%s", s, strings.Join(wrong, "\n"), out)
	if err := errors.Join(os.MkdirAll(d.options.evidence, 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		d.report.note("no evidence: %v", err)
		return
	}
	d.report.note("evidence: %s", file)
}
