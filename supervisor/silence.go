package supervisor

import "time"

// silence tells systemd nothing: notify: off.
type silence struct{}

func (silence) Ready(string)                {}
func (silence) HandOver(int, string)        {}
func (silence) Status(string)               {}
func (silence) Stopping(string)             {}
func (silence) Reloading(string)            {}
func (silence) ExtendTimeout(time.Duration) {}
func (silence) Watchdog()                   {}
func (silence) Pass(...string)              {}
