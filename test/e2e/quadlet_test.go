//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// quadletKeys are the keys of a quadlet's [Container] section that configure the
// container, each with the flag of docker run that replaces it, a jq query of
// docker inspect, and its result. docs/systemd-docker.md lists the same keys.
var quadletKeys = []struct{ key, flags, query, want string }{
	{"AddCapability", "--cap-add SYS_TIME", ".HostConfig.CapAdd | map(ltrimstr(\"CAP_\"))", `["SYS_TIME"]`},
	{"AddDevice", "--device /dev/zero:/dev/nothing:r", ".HostConfig.Devices[0].PathInContainer", `"/dev/nothing"`},
	{"AddHost", "--add-host db:10.0.0.7", ".HostConfig.ExtraHosts", `["db:10.0.0.7"]`},
	{"AppArmor", "--security-opt apparmor=unconfined", ".HostConfig.SecurityOpt | index(\"apparmor=unconfined\") != null", "true"},
	{"ContainerName", "--name app", ".Name", `"/app"`},
	{"DNS", "--dns 10.0.0.53", ".HostConfig.Dns", `["10.0.0.53"]`},
	{"DNSOption", "--dns-option ndots:1", ".HostConfig.DnsOptions", `["ndots:1"]`},
	{"DNSSearch", "--dns-search example.com", ".HostConfig.DnsSearch", `["example.com"]`},
	{"DropCapability", "--cap-drop MKNOD", ".HostConfig.CapDrop | map(ltrimstr(\"CAP_\"))", `["MKNOD"]`},
	{"Entrypoint", "--entrypoint /app", ".Config.Entrypoint", `["/app"]`},
	{"Environment", "-e COLOUR=blue", `.Config.Env | index("COLOUR=blue") != null`, "true"},
	{"EnvironmentFile", "--env-file /run/quadlet.env", `.Config.Env | index("FROM=file") != null`, "true"},
	{"EnvironmentHost", "-e SHAPE", `.Config.Env | index("SHAPE=round") != null`, "true"},
	{"Exec", "", ".Config.Cmd", `["-listen",":8080"]`},
	{"ExposeHostPort", "--expose 9000", `.Config.ExposedPorts | has("9000/tcp")`, "true"},
	{"GroupAdd", "--group-add 4", ".HostConfig.GroupAdd", `["4"]`},
	{"HealthCmd", "--health-cmd true", ".Config.Healthcheck.Test", `["CMD-SHELL","true"]`},
	{"HealthInterval", "--health-interval 7s", ".Config.Healthcheck.Interval", "7000000000"},
	{"HealthRetries", "--health-retries 4", ".Config.Healthcheck.Retries", "4"},
	{"HealthStartPeriod", "--health-start-period 5s", ".Config.Healthcheck.StartPeriod", "5000000000"},
	{"HealthTimeout", "--health-timeout 6s", ".Config.Healthcheck.Timeout", "6000000000"},
	{"HostName", "--hostname keys", ".Config.Hostname", `"keys"`},
	{"IP", "--ip 10.99.0.9", ".NetworkSettings.Networks.quadlet.IPAddress", `"10.99.0.9"`},
	{"Label", "--label role=test", ".Config.Labels.role", `"test"`},
	{"LogDriver", "--log-driver json-file", ".HostConfig.LogConfig.Type", `"json-file"`},
	{"LogOpt", "--log-opt max-size=1m", `.HostConfig.LogConfig.Config["max-size"]`, `"1m"`},
	{"Memory", "--memory 200m", ".HostConfig.Memory", "209715200"},
	{"Mount", "--mount type=tmpfs,destination=/scratch", ".HostConfig.Mounts[0].Target", `"/scratch"`},
	{"Network", "--network quadlet", ".HostConfig.NetworkMode", `"quadlet"`},
	{"NetworkAlias", "--network-alias keys.example.com", `.NetworkSettings.Networks.quadlet.Aliases | index("keys.example.com") != null`, "true"},
	{"NoNewPrivileges", "--security-opt no-new-privileges", `.HostConfig.SecurityOpt | map(startswith("no-new-privileges")) | any`, "true"},
	{"PidsLimit", "--pids-limit 100", ".HostConfig.PidsLimit", "100"},
	{"PublishPort", "-p 127.0.0.1:8081:8080", `.HostConfig.PortBindings["8080/tcp"][0].HostPort`, `"8081"`},
	{"ReadOnly", "--read-only", ".HostConfig.ReadonlyRootfs", "true"},
	{"RunInit", "--init", ".HostConfig.Init", "true"},
	{"SeccompProfile", "--security-opt seccomp=unconfined", `.HostConfig.SecurityOpt | index("seccomp=unconfined") != null`, "true"},
	{"SecurityLabelDisable", "--security-opt label=disable", `.HostConfig.SecurityOpt | index("label=disable") != null`, "true"},
	{"ShmSize", "--shm-size 32m", ".HostConfig.ShmSize", "33554432"},
	{"StopSignal", "--stop-signal SIGINT", ".Config.StopSignal", `"SIGINT"`},
	{"StopTimeout", "--stop-timeout 7", ".Config.StopTimeout", "7"},
	{"Sysctl", "--sysctl net.ipv4.ip_unprivileged_port_start=0", `.HostConfig.Sysctls["net.ipv4.ip_unprivileged_port_start"]`, `"0"`},
	{"Tmpfs", "--tmpfs /tmp", `.HostConfig.Tmpfs | has("/tmp")`, "true"},
	{"Ulimit", "--ulimit nofile=1024:2048", ".HostConfig.Ulimits[0].Hard", "2048"},
	{"Unmask", "--security-opt systempaths=unconfined", ".HostConfig.MaskedPaths", "[]"},
	{"User", "--user 0:0", ".Config.User", `"0:0"`},
	{"UserNS", "--userns host", ".HostConfig.UsernsMode", `"host"`},
	{"Volume", "-v /run:/host/run:ro", ".HostConfig.Binds", `["/run:/host/run:ro"]`},
	{"WorkingDir", "--workdir /tmp", ".Config.WorkingDir", `"/tmp"`},
}

// TestQuadletKeys runs one container with the flags of all keys.
func TestQuadletKeys(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker network create --subnet 10.99.0.0/24 quadlet")
	t.Cleanup(func() { h.try("docker rm -f app; docker network rm quadlet; rm -f /run/quadlet.env") })
	h.write("/run/quadlet.env", "FROM=file\n")
	command := []string{"/usr/bin/dockhost run --rm"}
	for _, k := range quadletKeys {
		command = append(command, k.flags)
	}
	command = append(command, "localhost:5000/app:1 -listen :8080")
	h.unit("app.service", service(strings.Join(command, " "), "Environment=SHAPE=round"))
	h.start("app")
	h.inUnit("app", "app.service")
	limits := map[string]string{"Memory": "MemoryLimit", "PidsLimit": "PidsLimit"}
	queries := make([]string, len(quadletKeys))
	for i, k := range quadletKeys {
		queries[i] = "(" + k.query + ")"
	}
	var got []json.RawMessage
	if err := json.Unmarshal([]byte(h.run("docker inspect app | jq -c '.[0] | ["+strings.Join(queries, ",")+"]'")), &got); err != nil {
		t.Fatal(err)
	}
	for i, k := range quadletKeys {
		t.Run(k.key, func(t *testing.T) {
			h := &host{t}
			if limit := limits[k.key]; limit != "" && h.output("docker info -f '{{."+limit+"}}'") != "true" {
				t.Skip("the test host's kernel gives Docker no " + limit)
			}
			if string(got[i]) != k.want {
				t.Errorf("%s gives %s, want %s", k.flags, got[i], k.want)
			}
		})
	}
	if err := h.answers("http://127.0.0.1:8081/healthz"); err != nil {
		t.Error(err)
	}
	h.run("systemctl stop app && docker network rm quadlet >/dev/null")
	h.nothingLeft("app.service")
}
