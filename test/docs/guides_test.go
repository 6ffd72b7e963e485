package docs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/ctl/preview"
)

// guides are the pages that show user data for one platform.
var guides = []string{"aws", "bare-metal", "gce", "openstack", "vsphere"}

// TestGuides checks that the README links to each guide, and that each guide
// contains user data.
func TestGuides(t *testing.T) {
	for _, name := range guides {
		page := "docs/" + name + ".md"
		if !strings.Contains(read(t, "README.md"), "("+page+")") {
			t.Errorf("the README does not link to %s", page)
		}
		if !slices.ContainsFunc(blocks(read(t, page)), func(b block) bool {
			return strings.HasPrefix(b.text, "#cloud-config\n") && strings.Contains(b.text, "\ndockhost:\n")
		}) {
			t.Errorf("%s contains no user data", page)
		}
	}
}

// TestPreviews checks that all user data and all Compose files in the pages pass
// `dockhostctl validate` without a warning, and render a container.
func TestPreviews(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			cloudConfig := strings.HasPrefix(b.text, "#cloud-config\n") && strings.Contains(b.text, "dockhost:")
			if slices.Contains(b.marks, "wrong") || !cloudConfig && !strings.HasPrefix(b.text, "services:\n") {
				continue
			}
			count++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) { renders(t, b.text) })
		}
	}
	if count < len(guides) {
		t.Errorf("found %d pieces, want at least one for each guide", count)
	}
}

// renders checks that user data, or a Compose file, has no problem and renders a
// container.
func renders(t *testing.T, text string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := preview.Open(name, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	rendering, problems, err := preview.Render(t.Context(), in, preview.RenderOptions{SystemdVersion: 257})
	if err != nil || len(problems) > 0 {
		t.Fatalf("problems: %v, %v", problems, err)
	}
	var out bytes.Buffer
	if err := rendering.Print(&out); err != nil {
		t.Fatal(err)
	}
	if len(rendering.Containers) == 0 || !strings.Contains(out.String(), "ExecStart=") {
		t.Errorf("no container is rendered: %s", out.String())
	}
}

// TestToolsOfGuides checks that the pages use only commands and flags that the
// tools of the platforms have. The lists are from aws 1.45, gcloud 528, openstack
// 6.0 and govc 0.52, as far as the pages need them.
func TestToolsOfGuides(t *testing.T) {
	tools := map[string]string{
		"aws ec2 get-console-output":                                         "--instance-id --latest --output",
		"aws ec2 modify-instance-attribute":                                  "--instance-id --attribute --value",
		"aws ec2 modify-instance-metadata-options":                           "--instance-id --http-endpoint",
		"aws ec2 run-instances":                                              "--image-id --instance-type --iam-instance-profile --security-group-ids --subnet-id --metadata-options --user-data",
		"aws ec2 start-instances":                                            "--instance-ids",
		"aws ec2 stop-instances":                                             "--instance-ids",
		"aws ec2 wait instance-stopped":                                      "--instance-ids",
		"gcloud compute firewall-rules create":                               "--project --allow --target-tags",
		"gcloud compute instance-groups managed rolling-action start-update": "--version",
		"gcloud compute instances add-metadata":                              "--zone --metadata-from-file",
		"gcloud compute instances create":                                    "--project --zone --machine-type --image-family --tags --service-account --scopes --metadata-from-file",
		"gcloud compute instances create-with-container":                     "",
		"gcloud compute instance-templates describe":                         "--format",
		"gcloud compute instances describe":                                  "--format",
		"gcloud compute instances get-serial-port-output":                    "--zone",
		"gcloud compute instances set-service-account":                       "--scopes --service-account",
		"gcloud compute ssh":                                                 "",
		"govc vm.change":                                                     "-vm -e -f",
		"govc vm.clone":                                                      "-vm -on",
		"govc vm.power":                                                      "-on",
		"openstack console log show":                                         "",
		"openstack image create":                                             "--disk-format --container-format --file",
		"openstack security group rule create":                               "",
		"openstack server create":                                            "--image --flavor --network --key-name --security-group --user-data --use-config-drive --config-drive --wait",
		"openstack server rebuild":                                           "--image --user-data --wait",
	}
	tools["dockhostctl"] = "--version"
	for command, flags := range parseManual(read(t, "docs/man/dockhostctl.1"), "dockhostctl").flags {
		var all []string
		for _, flag := range flags {
			all = append(all, "--"+flag)
		}
		tools["dockhostctl "+command] = strings.Join(all, " ")
	}
	used := 0
	for _, page := range pages(t) {
		for _, call := range commands(read(t, page)) {
			command := call.command(tools)
			if command == "" {
				t.Errorf("%s: no such command: %s", page, call)
				continue
			}
			used++
			for _, flag := range call.flags {
				if command != "dockhostctl run" && !slices.Contains(strings.Fields(tools[command]), flag) {
					t.Errorf("%s: %s has no flag %s in the list of this test", page, command, flag)
				}
			}
		}
	}
	if used < len(guides) {
		t.Errorf("found %d commands, want at least one for each guide", used)
	}
}

// invocation is a command as a page shows it.
type invocation struct {
	words, flags []string
}

func (i invocation) String() string { return strings.Join(i.words, " ") }

// command returns the command of these tools that the words begin with, "" for
// none.
func (i invocation) command(tools map[string]string) string {
	for end := len(i.words); end > 0; end-- {
		command := strings.Join(i.words[:end], " ")
		if _, found := tools[command]; found {
			return command
		}
	}
	return ""
}

var (
	started = regexp.MustCompile(`(?m)(?:^|[|(] *|&& |^[A-Z_]+=\S+ )((?:aws|gcloud|govc|openstack|dockhostctl) [^#|&)\n]+)`)
	flagged = regexp.MustCompile(`^--?[a-z][a-z-]*`)
)

// commands returns the commands in a page, from indented lines, also those that
// a backslash continues, and from spans.
func commands(page string) []invocation {
	var calls []invocation
	text := strings.ReplaceAll(fence.ReplaceAllString(page, ""), "\\\n", " ")
	var lines []string
	for _, line := range indented.FindAllString(text, -1) {
		lines = append(lines, strings.TrimSpace(line))
	}
	for _, m := range started.FindAllStringSubmatch(strings.Join(append(lines, spans(text)...), "\n"), -1) {
		var call invocation
		for word := range strings.FieldsSeq(m[1]) {
			if flag := flagged.FindString(word); flag != "" {
				call.flags = append(call.flags, flag)
			} else {
				call.words = append(call.words, word)
			}
		}
		calls = append(calls, call)
	}
	return calls
}
