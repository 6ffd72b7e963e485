package policy

import (
	"errors"
	"strings"
	"testing"
)

// TestCheck judges one service by one rule at a time.
func TestCheck(t *testing.T) {
	const digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	tests := []struct {
		policy, service string
		// rule is the rule that refuses the service, "" if it is allowed.
		rule string
	}{
		{"privileged: false", "privileged: true", "privileged: false"},
		{"privileged: false", "privileged: false", ""},
		{"privileged: true", "privileged: true", ""},
		{"default: allow", "privileged: true", ""},
		{"default: deny\nregistries: true\nimages_without_digest: true", "privileged: true", "default: deny, and no rule privileged,"},
		{"default: deny\nregistries: true\nimages_without_digest: true", "command: [x]", ""},
		{"default: deny\nimages_without_digest: true", "command: [x]", "default: deny, and no rule registries,"},
		{"default: deny\nregistries: true", "command: [x]", "default: deny, and no rule images_without_digest,"},

		{"registries: [docker.io]", "image: nginx", ""},
		{"registries: [docker.io/library]", "image: docker.io/nginx", ""},
		{"registries: [docker.io/library/nginx]", "image: index.docker.io/library/nginx:1", ""},
		{"registries: [docker.io/acme]", "image: nginx", "registries: [docker.io/acme]"},
		{"registries: [registry.test]", "image: registry.test:5000/x", "registries: [registry.test]"},
		{"registries: ['registry.test:*']", "image: registry.test:5000/x", ""},
		{"registries: [registry.test]", "image: registry.test.evil.com/x", "registries: "},
		{"registries: [registry.test]", "image: registry.testevil/x", "registries: "},
		{"registries: ['*.pkg.dev/acme/*']", "image: europe-docker.pkg.dev/acme/web/app:1", ""},
		{"registries: ['*.pkg.dev/acme/*']", "image: europe-docker.pkg.dev/acme", "registries: "},
		{"registries: ['*.pkg.dev/acme/*']", "image: evil.com/x.pkg.dev/acme/web", "registries: "},
		{"registries: [docker.io]", "image: 'sha256:aaaaaaaaaaaaaaaaaaaa'", "registries: "},
		{"registries: [docker.io]", "image: aaaaaaaaaaaa", "registries: "},
		{"registries: [docker.io]", "image: cafe", "registries: "},
		{"registries: [docker.io]", "image: 'cafe:1'", ""},
		{"registries: [docker.io]", "image: docker.io/cafe", ""},
		{"registries: false", "image: nginx", "registries: false"},
		{"images_without_digest: false", "image: nginx:1", "images_without_digest: false"},
		{"images_without_digest: false", "image: 'nginx:1" + digest + "'", ""},
		{"images_without_digest: false", "image: 'sha256:aaaaaaaaaaaaaaaaaaaa'", "images_without_digest: false"},

		{"host_network: false", "network_mode: host", "host_network: false"},
		{"host_network: false", "network_mode: bridge", ""},
		{"host_network: false", "network_mode: none", ""},
		{"host_network: false", "network_mode: 1a2b3c4d5e6f", "host_network: false"},
		{"host_network: false", "network_mode: backend", ""},
		{"networks: [back*]", "network_mode: backend", ""},
		{"networks: [front]", "network_mode: backend", "networks: [front]"},
		{"networks: false", "network_mode: bridge", ""},
		{"networks: [back]", "networks: [back]", ""},
		{"networks: [front]", "networks: [back]", "networks: [front]"},
		{"networks: [back]", "networks: [back, proxy]", "networks: [back]"},
		{"networks: false", "networks: [default]", ""},
		{"host_network: false", "networks: [back]", ""},
		{"host_network: false", "networks: [bridged]", "host_network: false"},
		{"host_network: false", "networks: [pooled]", "host_network: false"},
		{"host_mounts: [/srv]", "volumes: ['data:/data']", ""},
		{"host_mounts: [/srv]", "volumes: ['disk:/data']", "host_mounts: [/srv]"},
		{"other_containers: false", "network_mode: container:portainer", "other_containers: false"},
		{"other_containers: false", "network_mode: container:helper", ""},
		{"other_containers: false", "network_mode: service:helper", ""},
		{"other_containers: false", "pid: container:portainer", "other_containers: false"},
		{"other_containers: false", "ipc: container:portainer", "other_containers: false"},
		{"host_pid: false", "pid: host", "host_pid: false"},
		{"host_ipc: false", "ipc: host", "host_ipc: false"},
		{"host_ipc: false", "ipc: shareable", ""},
		{"host_uts: false", "uts: host", "host_uts: false"},
		{"host_userns: false", "userns_mode: host", "host_userns: false"},
		{"host_cgroup: false", "cgroup: host", "host_cgroup: false"},

		{"host_mounts: false", "volumes: ['/srv:/srv']", "host_mounts: false"},
		{"host_mounts: false", "volumes: ['data:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srv:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srv/a/b:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['/srvx:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/srv/../etc:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/srv/../../srv/./x/..:/srv']", ""},
		{"host_mounts: [/srv]", "volumes: ['//etc:/srv']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "host_mounts: [/srv]"},
		{"host_mounts: [/srv]", "volumes: [{type: bind, source: /etc, target: /x, bind: {create_host_path: false}}]", "host_mounts: [/srv]"},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv:ro']", ""},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv:ro,z']", ""},
		{"host_mounts: ['/srv:ro']", "volumes: ['/srv/x:/srv']", "host_mounts: [/srv:ro]"},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, read_only: true, bind: {create_host_path: false}}]", ""},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, bind: {create_host_path: false}}]", "host_mounts: "},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, read_only: true, bind: {create_host_path: false, recursive: writable}}]", "host_mounts: "},
		{"host_mounts: ['/srv:ro']", "volumes: [{type: bind, source: /srv, target: /x, read_only: true, bind: {create_host_path: false, recursive: readonly}}]", ""},
		{"host_mounts: [/srv]", "tmpfs: ['/x:exec,suid,dev']", ""},
		{"volumes: [app-*]", "volumes: ['app-data:/x']", ""},
		{"volumes: [app-*]", "volumes: ['other:/x']", "volumes: [app-*]"},
		{"volumes: [app-*]", "volumes: [{type: volume, source: other, target: /x, volume: {subpath: a}}]", "volumes: [app-*]"},
		{"volumes: false", "volumes: [{type: volume, target: /x}]", ""},
		{"host_mounts: [/mnt]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a}]}", ""},
		{"host_mounts: [/mnt]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /opt/a}]}", "host_mounts: [/mnt]"},
		{"disks: ['/dev/disk/by-id/google-*']", "x-dockhost: {mounts: [{what: /dev/sdb, where: /opt/a}]}", "disks: "},
		{"disks: ['/dev/disk/by-id/google-*']", "x-dockhost: {mounts: [{what: /dev/disk/by-id/google-a, where: /opt/a}]}", ""},
		{"default: allow", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: xfs, options: 'noatime,errors=remount-ro'}]}", ""},
		{"default: allow", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: proc}]}", "no rule filesystems names it"},
		{"filesystems: [ext4]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: overlay}]}", "filesystems: [ext4]"},
		{"filesystems: [zfs]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: zfs}]}", ""},
		{"default: allow", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, options: bind}]}", "no rule mount_options names it"},
		{"default: allow", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: btrfs, options: 'noatime,device=/dev/sda'}]}", "no rule mount_options names it"},
		{"mount_options: [device]", "x-dockhost: {mounts: [{what: /dev/sdb, where: /mnt/a, type: btrfs, options: 'device=/dev/sda'}]}", ""},

		{"devices: false", "devices: ['/dev/kvm']", "devices: false"},
		{"devices: [/dev/kvm]", "devices: ['/dev/kvm:/dev/kvm:rw']", ""},
		{"devices: ['/dev/ttyUSB*']", "devices: ['/dev/ttyUSB3']", ""},
		{"devices: ['/dev/ttyUSB*']", "devices: ['/dev/../dev/sda']", "devices: "},
		{"devices: ['/dev/tty*']", "devices: ['/dev/tty/../sda']", "devices: "},
		{"devices: false", "volumes: ['/dev/sda:/disk']", "devices: false"},
		{"devices: false", "volumes: ['/dev:/hostdev']", "devices: false"},
		{"devices: false", "volumes: ['/:/host']", "devices: false"},
		{"devices: false", "devices: ['acme.com/fpga=1']", "devices: false"},
		{"devices: false", "devices: ['nvidia.com/gpu=all']", ""},
		{"gpus: false", "devices: ['nvidia.com/gpu=all']", "gpus: false"},
		{"gpus: false", "gpus: all", "gpus: false"},
		{"gpus: false", "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "gpus: false"},
		{"gpus: false", "gpus: all\n      x-dockhost: {gpu: docker}", "gpus: false"},
		{"gpus: false", "environment: {NVIDIA_VISIBLE_DEVICES: all}", "gpus: false"},
		{"gpus: true", "environment: {NVIDIA_VISIBLE_DEVICES: all}", ""},
		{"gpus: false", "runtime: nvidia", "gpus: false"},
		{"gpus: false", "runtime: /usr/bin/nvidia-container-runtime", "gpus: false"},

		{"capabilities: false", "cap_add: [SYS_ADMIN]", "capabilities: false"},
		{"capabilities: false", "cap_add: [cap_sys_admin]", "capabilities: false"},
		{"capabilities: false", "cap_add: [ALL]", "capabilities: false"},
		{"capabilities: false", "cap_add: [CHOWN, cap_kill]", ""},
		{"capabilities: false", "cap_drop: [ALL]", ""},
		{"capabilities: [NET_ADMIN]", "cap_add: [CAP_NET_ADMIN]", ""},
		{"capabilities: [cap_net_admin]", "cap_add: [net_admin]", ""},
		{"capabilities: [NET_ADMIN]", "cap_add: [all]", "capabilities: [NET_ADMIN]"},
		{"capabilities: ['*']", "cap_add: [all]", "capabilities: [*]"},
		{"capabilities: ['A*']", "cap_add: [CAP_ALL]", "capabilities: [A*]"},
		{"capabilities: [ALL]", "cap_add: [ALL]", ""},

		{"security_options: false", "security_opt: [seccomp=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: ['seccomp:unconfined']", "security_options: false"},
		{"security_options: false", "security_opt: ['seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}']", "security_options: false"},
		{"security_options: false", "security_opt: [apparmor=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: ['label:disable']", "security_options: false"},
		{"security_options: false", "security_opt: [systempaths=unconfined]", "security_options: false"},
		{"security_options: false", "security_opt: [writable-cgroups=true]", "security_options: false"},
		{"security_options: false", "security_opt: [no-new-privileges, seccomp=builtin]", ""},
		{"security_options: ['apparmor=acme-*']", "security_opt: ['apparmor:acme-web']", ""},
		{"security_options: ['apparmor=acme-*']", "security_opt: [apparmor=unconfined]", "security_options: "},

		{"runtimes: false", "command: [x]", ""},
		{"runtimes: false", "runtime: runsc", "runtimes: false"},
		{"runtimes: [runsc]", "runtime: runsc", ""},
		{"runtimes: [runsc]", "command: [x]", "runtimes: [runsc]"},
		{"runtimes: [runc]", "runtime: /tmp/runc", "runtimes: [runc]"},
		{"lock_files: false", "x-dockhost: {update: {lock: {file: /run/app/lock}}}", "lock_files: false"},
		{"lock_files: [/run/app]", "x-dockhost: {update: {lock: {file: /run/app/lock}}}", ""},
		{"lock_files: [/run/other]", "x-dockhost: {update: {lock: {file: /run/app/lock}}}", "lock_files: [/run/other]"},
		{"lock_files: false", "x-dockhost: {update: {lock: {exec: [/bin/app]}}}", ""},
		{"fleet_locks: false", "x-dockhost: {update: {fleet_lock: {base_url: 'http://lock.test:3333/x', group: a}}}", "fleet_locks: false"},
		{"fleet_locks: ['lock.test:3333']", "x-dockhost: {update: {fleet_lock: {base_url: 'http://lock.test:3333/x', group: a}}}", ""},
		{"fleet_locks: [lock.test]", "x-dockhost: {update: {fleet_lock: {base_url: 'http://lock.test:3333/x', group: a}}}", "fleet_locks: [lock.test]"},
		{"fleet_locks: ['*.lock.test']", "x-dockhost: {update: {fleet_lock: {base_url: 'https://eu.lock.test', group: a}}}", ""},
		{
			"default: deny\nregistries: true\nimages_without_digest: true",
			"x-dockhost: {update: {fleet_lock: {base_url: 'http://lock.test/', group: a}}}", "default: deny, and no rule fleet_locks,",
		},
		{
			"default: deny\nregistries: true\nimages_without_digest: true",
			"x-dockhost: {update: {policy: registry, window: daily +1h, lock: {exec: [a]}}}", "",
		},
		{"annotations: false", "annotations: {run.oci.hooks.stdout: /etc/x}", "annotations: false"},
		{"annotations: ['com.acme.*']", "annotations: {com.acme.team: a}", ""},
		{"log_drivers: false", "logging: {options: {max-size: 1m, tag: x}}", ""},
		{"log_drivers: [json-file]", "logging: {options: {syslog-address: 'udp://1.2.3.4:514'}}", "log_drivers: "},
		{"log_drivers: [journald]", "logging: {driver: syslog}", "log_drivers: [journald]"},
		{"log_drivers: [journald]", "command: [x]", ""},

		{"privileged_ports: false", "ports: ['80:80']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['127.0.0.1:1023:80/udp']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['1020-1030:1020-1030']", "privileged_ports: false"},
		{"privileged_ports: false", "ports: ['8080:80', '80']", ""},
		{"env_files: [/etc/app]", "env_file: [/etc/app/env]", ""},
		{"env_files: [/etc/app]", "env_file: [/etc/app/../shadow]", "env_files: [/etc/app]"},
		{"env_files: false", "env_file: [/etc/app]", "env_files: false"},

		{"unit_settings: false", "x-dockhost: {unit: {Service: {MemoryMax: 1G}}}", "unit_settings: false"},
		{"unit_settings: [MemoryMax, 'CPU*']", "x-dockhost: {unit: {Service: {MemoryMax: 1G, CPUWeight: 5}}}", ""},
		{"unit_settings: [Service.MemoryMax]", "x-dockhost: {unit: {Service: {ExecStopPost: /bin/sh}}}", "unit_settings: "},
		{"unit_settings: [Unit.*]", "x-dockhost: {unit: {Service: {ExecCondition: /bin/sh}}}", "unit_settings: "},
		{"default: allow", "x-dockhost: {unit: {Service: {MemoryMax: 1G, CPUWeight: 5, TimeoutStopSec: 5}}}", ""},
		{"default: allow", "x-dockhost: {unit: {Service: {ExecStopPost: /bin/sh}}}", "no rule unit_settings names it"},
		{"default: allow", "x-dockhost: {unit: {Service: {LoadCredential: 'x:/etc/shadow'}}}", "no rule unit_settings names it"},
		{"default: allow", "x-dockhost: {unit: {Service: {SomethingNew: 1}}}", "no rule unit_settings names it"},
		{"unit_settings: ['Service.*']", "x-dockhost: {unit: {Service: {EnvironmentFile: /etc/shadow}}}", "unit_settings: [Service.*]"},
		{"unit_settings: [Service.EnvironmentFile]", "x-dockhost: {unit: {Service: {EnvironmentFile: /etc/default/web}}}", ""},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {Wants: debug-shell.service}}}", "unit_settings: [*]"},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {Wants: 'dockhost@db.service debug-shell.service'}}}", "unit_settings: [*]"},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {Wants: dockhost@db.service, Requires: dockhost@db.service, After: network-online.target}}}", ""},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {Wants: dockhost@../debug-shell.service}}}", "unit_settings: [*]"},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {Wants: 'dockhost@%i.service'}}}", "unit_settings: [*]"},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {FailureAction: poweroff}}}", "unit_settings: [*]"},
		{"unit_settings: ['*']", "x-dockhost: {unit: {Unit: {RequiresMountsFor: /mnt}}}", "unit_settings: [*]"},
		{"unit_settings: [Wants]", "x-dockhost: {unit: {Unit: {Wants: debug-shell.service}}}", ""},
		{"unit_settings: true", "x-dockhost: {unit: {Unit: {Wants: debug-shell.service}}}", ""},
		{"unit_settings: false", "restart: on-failure:3", ""},
	}
	for _, test := range tests {
		service := "image: nginx"
		if !strings.HasPrefix(test.service, "image:") {
			service += "\n      " + test.service
		} else {
			service = test.service
		}
		sections := "networks: {back: {}, proxy: {external: true}, bridged: {driver_opts: {com.docker.network.bridge.name: eth0}}, " +
			"pooled: {ipam: {config: [{subnet: 10.9.0.0/16}]}}}\n"
		if strings.Contains(service, "disk:") {
			sections += "volumes: {disk: {driver_opts: {type: ext4, device: /dev/sda1}}}\n"
		}
		err := policy(t, test.policy).Check(assign(t, "containers:\n    web:\n      "+service+"\n    helper: {image: 'nginx:1"+digest+"', runtime: ''}\n"+sections))
		var refusals Refusals
		errors.As(err, &refusals)
		refusals = about("containers.web: ", refusals)
		switch {
		case test.rule == "" && len(refusals) > 0:
			t.Errorf("%q with policy %q: refused: %v", test.service, test.policy, refusals)
		case test.rule != "" && len(refusals) == 0:
			t.Errorf("%q with policy %q: allowed, want it refused", test.service, test.policy)
		case test.rule != "" && (!strings.Contains(refusals.Error(), test.rule) || !strings.Contains(refusals.Error(), "in "+Path+")")):
			t.Errorf("%q with policy %q: refused: %v, want the rule %q", test.service, test.policy, refusals, test.rule)
		}
	}
}

func about(where string, refusals Refusals) Refusals {
	var matching Refusals
	for _, refusal := range refusals {
		if strings.HasPrefix(refusal, where) {
			matching = append(matching, refusal)
		}
	}
	return matching
}
