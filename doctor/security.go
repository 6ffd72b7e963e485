package doctor

import (
	"context"
	"fmt"
	"strings"
)

func securityChecks() []Check {
	const area = "security"
	return []Check{
		{ID: "denials", Area: area, Title: "AppArmor and SELinux deny nothing", examine: checkDenials},
		{ID: "unattended-upgrades", Area: area, Title: "unattended upgrades stop no container", examine: checkUpgrades},
		{ID: "signatures", Area: area, Title: "images are signed", examine: checkSignatures},
	}
}

func checkDenials(ctx context.Context, h *host) []Finding {
	if h.User != 0 {
		return needsRoot()
	}
	lines, err := h.journal(ctx, `apparmor="DENIED"|avc: +denied`, "_TRANSPORT=kernel", "+", "_TRANSPORT=audit")
	switch {
	case err != nil:
		return cannotAsk("what AppArmor and SELinux deny", err)
	case len(lines) == 0:
		return ok("AppArmor and SELinux have denied nothing in this boot")
	}
	return warn(fmt.Sprintf("AppArmor or SELinux has denied something, %d times; the last: %s", len(lines), lines[len(lines)-1]),
		"if a container needs it: security_opt: [apparmor=PROFILE], or label volumes for SELinux by :z; to see all: journalctl -k -b --grep 'DENIED|avc: '")
}

func checkUpgrades(_ context.Context, h *host) []Finding {
	on, blocked := false, false
	for _, path := range h.glob("/etc/apt/apt.conf.d/*") {
		text, err := h.read(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "//"), strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "APT::Periodic::Unattended-Upgrade "):
				on = !strings.Contains(line, `"0"`)
			case strings.HasPrefix(line, `"docker`), strings.HasPrefix(line, `"containerd`), strings.HasPrefix(line, `"^docker`):
				blocked = true // a pattern of Unattended-Upgrade::Package-Blacklist
			}
		}
	}
	if !on || !h.exists("/usr/bin/unattended-upgrade") {
		return skip("unattended-upgrades is off")
	}
	info, err := h.info()
	switch {
	case err != nil:
		return needsDocker(err)
	case info.LiveRestore:
		return ok("unattended-upgrades is on, and live-restore too")
	case blocked:
		return ok("unattended-upgrades leaves Docker alone")
	}
	return warn("unattended-upgrades may upgrade Docker at any time, which stops all containers, because live-restore is off", liveRestoreCure)
}

func checkSignatures(context.Context, *host) []Finding {
	return skip("dockhost does not verify signatures of images")
}
