package doctor

import (
	"context"
	"strings"
)

func journalChecks() []Check {
	return []Check{{ID: "persistent-journal", Area: "journal", Title: "the journal outlives a reboot", examine: checkJournal}}
}

func checkJournal(_ context.Context, h *host) []Finding {
	storage := "auto"
	for _, pattern := range []string{"/usr/lib/systemd/journald.conf.d/*.conf", "/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d/*.conf"} {
		for _, path := range h.glob(pattern) {
			text, err := h.read(path)
			if err != nil {
				continue
			}
			for line := range strings.Lines(text) {
				if value, found := strings.CutPrefix(strings.TrimSpace(line), "Storage="); found && value != "" {
					storage = value
				}
			}
		}
	}
	const lost = ": after a reboot nobody knows why it happened"
	switch {
	case storage == "volatile", storage == "none":
		return warn("the journal is not kept (Storage="+storage+")"+lost, "write Storage=persistent into /etc/systemd/journald.conf, then: systemctl restart systemd-journald")
	case storage == "auto" && !h.exists("/var/log/journal"):
		return warn("the journal is in memory only, because /var/log/journal does not exist"+lost, "mkdir -p /var/log/journal && journalctl --flush")
	}
	return ok("the journal is kept on the disk")
}
