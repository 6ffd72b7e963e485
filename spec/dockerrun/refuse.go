package dockerrun

import (
	"errors"

	"github.com/distribution/reference"
	"github.com/spf13/pflag"
)

// refuse returns a reason for each flag that cannot be obeyed, and takes its
// value away, so that docker/cli finds what else is wrong.
func refuse(flags *pflag.FlagSet, image string) error {
	var problems []error
	note := func(text string) { problems = append(problems, errors.New(text)) }
	if policy := text(flags, "restart"); policy != "" && policy != "no" {
		note("--restart " + policy + ": systemd restarts the container (leave it out, and set Restart= in the unit)")
	}
	if text(flags, "cgroup-parent") != "" {
		note("--cgroup-parent: the container lives in the cgroup of its unit (leave it out, and set Slice= in the unit)")
	}
	if text(flags, "runtime") == runtimeName {
		note("--runtime " + runtimeName + ": it runs every container here (leave it out, or name the runtime that it is to call)")
	}
	if isSet(flags, "use-api-socket") {
		note("--use-api-socket: it copies registry logins into the container " +
			"(leave it out, and use: -v /var/run/docker.sock:/var/run/docker.sock)")
	}
	if !isSet(flags, "disable-content-trust") && !pinned(image) {
		note("--disable-content-trust=false, or DOCKER_CONTENT_TRUST: signatures are not checked here " +
			"(leave it out, and name the image by its digest)")
	}
	reset(flags, "restart", "cgroup-parent", "use-api-socket")
	set(flags, "disable-content-trust", "true")
	return errors.Join(problems...)
}

// runtimeName is the runtime that Docker is given for every container.
const runtimeName = "dockhost"

// pinned says whether an image is named by its content, which needs no
// signature.
func pinned(image string) bool {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return false
	}
	_, digested := ref.(reference.Digested)
	return digested
}
