package dockerrun

import (
	"errors"
	"fmt"
)

// clientOption is an option of the docker command itself, which stands before run.
type clientOption struct {
	name, short string
	// variable is set in the unit instead; "" means that the option has no effect.
	variable string
	isBool   bool
}

func clientOptions() []clientOption {
	return []clientOption{
		{name: "config", variable: "DOCKER_CONFIG"},
		{name: "host", short: "H", variable: "DOCKER_HOST"},
		{name: "context", variable: "DOCKER_HOST"},
		{name: "debug", short: "D", isBool: true},
		{name: "log-level"},
		{name: "tls", variable: "DOCKER_TLS_VERIFY", isBool: true},
		{name: "tlsverify", variable: "DOCKER_TLS_VERIFY", isBool: true},
		{name: "tlscacert", variable: "DOCKER_CERT_PATH"},
		{name: "tlscert", variable: "DOCKER_CERT_PATH"},
		{name: "tlskey", variable: "DOCKER_CERT_PATH"},
	}
}

// addClientOptions adds the options of the docker command, which --help does not
// list.
func (o *oldOptions) addClientOptions() {
	for _, option := range clientOptions() {
		if option.isBool {
			o.flags.BoolP(option.name, option.short, false, "")
		} else {
			o.flags.StringP(option.name, option.short, "", "")
		}
		o.flags.Lookup(option.name).Hidden = true
	}
	o.flags.StringArray("networks", nil, "")
	o.flags.Lookup("networks").Hidden = true
}

// clientOptions returns a problem for each option that a unit must set in another
// way: the supervisor, too, has to know Docker's address and its logins.
func (o *oldOptions) clientOptions() error {
	var problems []error
	for _, option := range clientOptions() {
		if option.variable != "" && o.flags.Changed(option.name) {
			problems = append(problems, fmt.Errorf("--%s: leave it out, and write Environment=%s=VALUE in the unit's [Service] section", option.name, option.variable))
		}
	}
	if o.flags.Changed("networks") {
		problems = append(problems, errors.New("--networks: leave it out, and write --network NAME after run or --, once for each network"))
	}
	return errors.Join(problems...)
}
