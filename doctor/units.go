package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

func unitChecks() []Check {
	const area = "units"
	return []Check{
		{ID: "masked-units", Area: area, Title: "no unit is masked", examine: checkMasked},
		{ID: "enabled-units", Area: area, Title: "dockhost and Docker start at boot", examine: checkEnabled},
		{ID: "changed-units", Area: area, Title: "the units are those of the packages", examine: checkChanged},
	}
}

// hostUnits are the units that containers need.
func hostUnits() []string {
	return []string{"docker.service", "docker.socket", "containerd.service", "dockhost.service", "dockhost.socket"}
}

func checkMasked(ctx context.Context, h *host) []Finding {
	units := hostUnits()
	if s, err := h.status(); err == nil {
		for i := range s.Containers {
			units = append(units, s.Containers[i].Unit)
		}
	}
	var findings []Finding
	for _, unit := range units {
		properties, err := h.properties(ctx, unit, "LoadState")
		if err != nil {
			return cannotAsk("which units are masked", err)
		}
		if properties["LoadState"] == "masked" {
			findings = append(findings, fail(unit+" is masked, and cannot start", "systemctl unmask "+unit+" && systemctl start "+unit)...)
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return ok("no unit is masked")
}

func checkEnabled(ctx context.Context, h *host) []Finding {
	docker := false
	var findings []Finding
	for _, unit := range []string{"docker.service", "docker.socket", "dockhost.service"} {
		properties, err := h.properties(ctx, unit, "LoadState", "UnitFileState")
		if err != nil {
			return cannotAsk("which units are enabled", err)
		}
		enabled := properties["UnitFileState"] != "disabled"
		if strings.HasPrefix(unit, "docker.") {
			docker = docker || enabled && properties["LoadState"] == "loaded"
		} else if !enabled {
			findings = append(findings, fail(unit+" is disabled: no container starts at the next boot", "systemctl enable "+unit)...)
		}
	}
	if !docker {
		// dockhost.service does not require Docker, but wants it.
		findings = append(findings, warn("neither docker.service nor docker.socket is enabled", "systemctl enable docker.service")...)
	}
	if len(findings) > 0 {
		return findings
	}
	return ok("dockhost and Docker start at boot")
}

// own are drop-ins that dockhost writes itself.
func own() []string { return []string{"40-dockhost.conf", "50-dockhost.conf"} }

func checkChanged(_ context.Context, h *host) []Finding {
	var replaced, extended []string
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system"} {
		for _, pattern := range []string{"docker", "containerd", "dockhost", "dockhost@*"} {
			for _, kind := range []string{".service", ".socket"} {
				name := dir + "/" + pattern + kind
				for _, path := range h.glob(name) {
					if h.isUnit(path) {
						replaced = append(replaced, path)
					}
				}
				for _, path := range h.glob(name + ".d/*.conf") {
					if !slices.Contains(own(), filepath.Base(path)) {
						extended = append(extended, path)
					}
				}
			}
		}
	}
	settings := ""
	if len(extended) > 0 {
		settings = "; settings are added by " + strings.Join(extended, ", ")
	}
	if len(replaced) > 0 {
		unit := filepath.Base(replaced[0])
		return warn(fmt.Sprintf("%s: the package's own file has no effect, also after an upgrade%s", strings.Join(replaced, ", "), settings),
			"systemd-delta --type=overridden; to get back the package's: systemctl revert "+unit)
	}
	return ok("no unit is replaced" + settings)
}

// isUnit says whether a path is a file with settings, and not a link of `systemctl
// enable` or `systemctl mask`.
func (h *host) isUnit(path string) bool {
	text, err := h.read(path)
	return err == nil && strings.Contains(text, "[")
}
