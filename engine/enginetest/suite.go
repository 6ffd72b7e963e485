package enginetest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
)

// Host is an Engine with the images for the suite.
type Host struct {
	// Address is the Engine's address in the form of DOCKER_HOST.
	Address string
	// App is an image of test/app on the host.
	App string
	// Private is an image that is not on the host. Registry requires Login for
	// it.
	Private, Registry string
	Login             engine.Login
	// Absent is an image that does not exist in its registry.
	Absent string
	// Broken is an image whose layers cannot be downloaded. The download of Stalling
	// stops half way.
	Broken, Stalling string
}

// patience is how long the suite waits for an event that should happen at once.
const patience = 30 * time.Second

// suite is the context of one test of the suite.
type suite struct {
	*testing.T
	host   Host
	engine *engine.Client
}

// RunSuite tests that an Engine and [engine.Client] behave as the rest of the project
// expects. It calls newHost for each test.
func RunSuite(t *testing.T, newHost func(t *testing.T) Host) {
	t.Helper()
	tests := []struct {
		name string
		run  func(s *suite)
	}{
		{"images", (*suite).images},
		{"pull", (*suite).pull},
		{"pull without login", (*suite).pullWithoutLogin},
		{"pull absent", (*suite).pullAbsent},
		{"pull broken", (*suite).pullBroken},
		{"pull stalled", (*suite).pullStalled},
		{"pull cancelled", (*suite).pullCancelled},
		{"create refused", (*suite).createRefused},
		{"info", (*suite).info},
		{"output", (*suite).output},
		{"terminal", (*suite).terminal},
		{"output without writers", (*suite).outputUnwanted},
		{"output that cannot be written", (*suite).outputUnwritable},
		{"input", (*suite).input},
		{"lost output", (*suite).lostOutput},
		{"lost output of a terminal", (*suite).lostTerminal},
		{"lost output of one stream", (*suite).lostStream},
		{"lost output without a log", (*suite).lostWithoutLog},
		{"end at once", (*suite).endAtOnce},
		{"exit code", (*suite).exitCode},
		{"stop", (*suite).stop},
		{"stop signal", (*suite).stopSignal},
		{"stop kills", (*suite).stopKills},
		{"stop without a process", (*suite).stopOfNothing},
		{"health", (*suite).health},
		{"kill", (*suite).kill},
		{"exec", (*suite).exec},
		{"inspect", (*suite).inspect},
		{"remove", (*suite).remove},
		{"remove twice", (*suite).removeTwice},
		{"anonymous volumes", (*suite).anonymousVolumes},
		{"labelled volumes", (*suite).labelledVolumes},
		{"named volumes", (*suite).namedVolumes},
		{"networks", (*suite).networks},
		{"several networks", (*suite).severalNetworks},
		{"start refused", (*suite).startRefused},
		{"events of a stop", (*suite).eventsOfStop},
		{"list", (*suite).list},
		{"events end", (*suite).eventsEnd},
		{"store", (*suite).store},
		{"remove image", (*suite).removeImage},
		{"uses", (*suite).uses},
		{"unreachable", (*suite).unreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host := newHost(t)
			test.run((&suite{T: t, host: host}).with(host.Login))
		})
	}
}

// with returns the suite with a client that uses this login.
func (s *suite) with(login engine.Login) *suite {
	s.Helper()
	var logins []engine.LoginFile
	if login.Username != "" {
		logins = []engine.LoginFile{engine.ConfigFile(ConfigDir(s.T, map[string]engine.Login{s.host.Registry: login}))}
	}
	client, err := engine.New(engine.Options{Host: s.host.Address, Logins: logins})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = client.Close() })
	return &suite{T: s.T, host: s.host, engine: client}
}

// ConfigDir returns a directory with a Docker config.json that has these logins, by
// registry.
func ConfigDir(tb testing.TB, logins map[string]engine.Login) string {
	tb.Helper()
	var file bytes.Buffer
	if err := engine.WriteLogins(&file, logins); err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), file.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}
