package policy

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec/compose"
)

// judgedKeys has, for each key that a rule judges, the rule and a value that
// `default: deny` refuses.
func judgedKeys() map[string][2]string {
	return map[string][2]string{
		"annotations": {"annotations", "{a: b}"}, "cap_add": {"capabilities", "[SYS_ADMIN]"}, "cgroup": {"host_cgroup", "host"},
		"configs": {"secret_files", "[one]"}, "deploy": {"gpus", "{resources: {reservations: {devices: [{capabilities: [gpu]}]}}}"},
		"devices": {"devices", "[/dev/kvm]"}, "env_file": {"env_files", "/etc/shadow"}, "gpus": {"gpus", "all"}, "image": {"registries", "evil.test/x"},
		"ipc": {"host_ipc", "host"}, "logging": {"log_drivers", "{driver: syslog}"},
		"network_mode": {"host_network", "host"}, "networks": {"networks", "[outside]"}, "pid": {"host_pid", "host"},
		"ports": {"privileged_ports", "['80:80']"}, "post_start": {"privileged", "[{command: x, privileged: true}]"},
		"pre_stop": {"privileged", "[{command: x, privileged: true}]"}, "privileged": {"privileged", "true"}, "runtime": {"runtimes", "evil"},
		"secrets": {"secret_files", "[one]"}, "security_opt": {"security_options", "['seccomp:unconfined']"}, "userns_mode": {"host_userns", "host"},
		"uts": {"host_uts", "host"}, "volumes": {"host_mounts", "['/:/host']"},
		"x-dockhost.mounts": {"disks", "[{what: /dev/sdb, where: /mnt/data, type: ext4}]"},
		"x-dockhost.unit":   {"unit_settings", "{Service: {MemoryMax: 1G}}"}, "x-dockhost.update": {"lock_files", "{lock: {file: /etc/shadow}}"},
	}
}

// harmlessKeys have an effect in the container's own namespaces alone, are limits, or say
// when and how the unit of the container starts, stops and waits. links and volumes_from
// name containers of the same source alone; x-dockhost.gpu says how the GPUs of gpus and deploy
// are passed on.
const harmlessKeys = "cap_drop command container_name cpus cpuset depends_on dns dns_opt dns_search domainname entrypoint environment expose " +
	"extra_hosts group_add healthcheck hostname init labels links mac_address mem_limit memswap_limit oom_score_adj pids_limit platform profiles " +
	"pull_policy read_only restart scale shm_size stdin_open stop_grace_period stop_signal sysctls tmpfs tty ulimits user volumes_from working_dir x-dockhost " +
	"x-dockhost.gpu x-dockhost.notify x-dockhost.pull_stall_timeout x-dockhost.reload"

// Each key of a service, and of its x-dockhost, is judged by a rule, or is harmless. The
// keys are those of the schema, which is made of the parser's.
func TestEachKeyIsJudged(t *testing.T) {
	raw, err := os.ReadFile("../../docs/dockhost.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	judged, harmless := judgedKeys(), strings.Fields(harmlessKeys)
	keys := map[string]bool{}
	for def, prefix := range map[string]string{"service": "", "x-dockhost": "x-dockhost."} {
		for key := range schema.Defs[def].Properties {
			keys[prefix+key] = true
			if _, isJudged := judged[prefix+key]; isJudged == slices.Contains(harmless, prefix+key) {
				t.Errorf("the key %s%s must be judged by a rule, or be listed as harmless", prefix, key)
			}
		}
	}
	if len(keys) < len(judged) {
		t.Fatalf("the schema has %d keys only", len(keys))
	}
	deny := policy(t, "default: deny\nregistries: [docker.io]\nimages_without_digest: true\n")
	for key, c := range judged {
		rule, value := c[0], c[1]
		if !keys[key] || !slices.Contains(names(), rule) {
			t.Errorf("the key %s or the rule %s does not exist", key, rule)
		}
		service := "{image: nginx, " + key + ": " + value + "}"
		if name, isOwn := strings.CutPrefix(key, "x-dockhost."); isOwn {
			service = "{image: nginx, x-dockhost: {" + name + ": " + value + "}}"
		}
		if key == "image" {
			service = "{image: " + value + "}"
		}
		const rest = "secrets: {one: {file: /etc/shadow}}\nconfigs: {one: {file: /etc/shadow}}\nnetworks: {outside: {external: true}}\n"
		if err := checkText(t, deny, rest+"containers: {web: "+service+"}"); err == nil || !strings.Contains(err.Error(), "(") {
			t.Errorf("default: deny allows %s, %v", service, err)
		}
	}
	if err := checkText(t, deny, "containers: {web: {image: nginx}}"); err != nil {
		t.Errorf("default: deny with registries refuses an image of them: %v", err)
	}
}

// checkText returns what a policy refuses in a section. What the parser refuses whatever
// the policy is refused, too.
func checkText(t *testing.T, p *Policy, section string) error {
	t.Helper()
	top, err := document.Parse("user-data", []byte(section))
	if err != nil {
		t.Fatal(err)
	}
	assignment, err := compose.Parse(document.File("user-data"), top)
	if err != nil {
		t.Logf("the parser refuses %s: %v", section, err)
		return err
	}
	return p.Check(assignment)
}
