package supervisor

import "time"

// silence is the notifier for notify: off. It sends systemd nothing.
type silence struct{}

func (silence) Ready(string)                {}
func (silence) HandOver(int, string)        {}
func (silence) Status(string)               {}
func (silence) Stopping(string)             {}
func (silence) Reloading(string)            {}
func (silence) ExtendTimeout(time.Duration) {}
func (silence) Watchdog()                   {}
func (silence) Pass(...string)              {}
