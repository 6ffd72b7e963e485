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

// guides have user data as it is handed to a platform.
var guides = []string{"aws", "bare-metal", "gce", "openstack", "vsphere"}

// TestGuides has the README lead to each guide, and each guide have user data.
func TestGuides(t *testing.T) {
	for _, name := range guides {
		page := "docs/" + name + ".md"
		if !strings.Contains(read(t, "README.md"), "("+page+")") {
			t.Errorf("the README does not lead to %s", page)
		}
		if !slices.ContainsFunc(blocks(read(t, page)), func(b block) bool {
			return strings.HasPrefix(b.text, "#cloud-config\n") && strings.Contains(b.text, "\ndockhost:\n")
		}) {
			t.Errorf("%s has no user data", page)
		}
	}
}

// TestPreviews has all user data and all Compose files in the pages pass
// `dockhostctl validate` without a warning, and come to a container.
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
		t.Errorf("found %d pieces, want those of the guides at least", count)
	}
}

// renders has a piece of user data, or a Compose file, be without a finding,
// and come to something.
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
	rendering, found, err := preview.Render(t.Context(), in, preview.RenderOptions{SystemdVersion: 257})
	if err != nil || len(found) > 0 {
		t.Fatalf("findings: %v, %v", found, err)
	}
	var out bytes.Buffer
	if err := rendering.Print(&out); err != nil {
		t.Fatal(err)
	}
	if len(rendering.Containers) == 0 || !strings.Contains(out.String(), "ExecStart=") {
		t.Errorf("no container is rendered: %s", out.String())
	}
}

// TestToolsOfGuides has the commands that pages give to the tools of platforms
// be ones of these tools, with flags that they have. The lists are those of aws
// 1.45, gcloud 528, openstack 6.0 and govc 0.52, as far as the pages need them.
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
		for _, given := range commands(read(t, page)) {
			command := given.of(tools)
			if command == "" {
				t.Errorf("%s: no such command: %s", page, given)
				continue
			}
			used++
			for _, flag := range given.flags {
				if command != "dockhostctl run" && !slices.Contains(strings.Fields(tools[command]), flag) {
					t.Errorf("%s: %s has no flag %s, as far as is known here", page, command, flag)
				}
			}
		}
	}
	if used < len(guides) {
		t.Errorf("found %d commands, want those of the guides at least", used)
	}
}

// given is a command as a page has it.
type given struct {
	words, flags []string
}

func (g given) String() string { return strings.Join(g.words, " ") }

// of returns the command of these tools that the words begin with.
func (g given) of(tools map[string]string) string {
	for end := len(g.words); end > 0; end-- {
		command := strings.Join(g.words[:end], " ")
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

// commands returns what a page has people type: indented lines, which a
// backslash goes on with, and spans.
func commands(page string) []given {
	var found []given
	text := strings.ReplaceAll(fence.ReplaceAllString(page, ""), "\\\n", " ")
	var lines []string
	for _, line := range indented.FindAllString(text, -1) {
		lines = append(lines, strings.TrimSpace(line))
	}
	for _, m := range started.FindAllStringSubmatch(strings.Join(append(lines, spans(text)...), "\n"), -1) {
		var g given
		for word := range strings.FieldsSeq(m[1]) {
			if flag := flagged.FindString(word); flag != "" {
				g.flags = append(g.flags, flag)
			} else {
				g.words = append(g.words, word)
			}
		}
		found = append(found, g)
	}
	return found
}
