package compose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
)

func TestSection(t *testing.T) {
	tests := []struct{ name, file, want, left string }{
		{"a service", "services: {web: {image: nginx}}", "containers: {web: {image: nginx}}", ""},
		{
			"what docker compose config prints",
			"name: shop\nservices: {web: {image: nginx, networks: {default: null}}}\nnetworks: {default: {name: shop_default, ipam: {}}}",
			"containers: {web: {image: nginx}}", "name: networks:",
		},
		{
			"two services keep the project",
			"name: shop\nservices: {web: {image: nginx, networks: {default: null}}, db: {image: postgres, networks: [default]}}\nnetworks: {default: {name: shop_default}}",
			"name: shop\ncontainers: {web: {image: nginx}, db: {image: postgres}}", "networks:",
		},
		{
			"a network with settings",
			"name: shop\nservices: {web: {image: nginx, networks: {default: null}}}\nnetworks: {default: {name: shop_default, internal: true}}",
			"containers: {web: {image: nginx, networks: {default: null}}}\nnetworks: {default: {name: shop_default, internal: true}}", "name:",
		},
		{
			"a volume with a name",
			"name: shop\nservices: {db: {image: postgres, volumes: [data:/x]}}\nvolumes: {data: {name: shop_data}}",
			"containers: {db: {image: postgres, volumes: [data:/x]}}\nvolumes: {data: {name: shop_data}}", "name:",
		},
		{
			"a volume without a name",
			"name: shop\nservices: {db: {image: postgres, volumes: [data:/x]}}\nvolumes: {data: null}",
			"name: shop\ncontainers: {db: {image: postgres, volumes: [data:/x]}}\nvolumes: {data: null}", "",
		},
		{
			"extensions and anchors",
			"version: '3'\nx-image: &image nginx\nx-dockhost: {registries: {r.example: {identity: gce}}}\nservices: {web: {image: *image}}",
			"registries: {r.example: {identity: gce}}\ncontainers: {web: {image: nginx}}", "x-image:",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			section, left, err := Section(document.File("f"), parsed(t, test.file))
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := section.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Section() (-want +got):\n%s", diff)
			}
			for i := range left {
				left[i], _, _ = strings.Cut(left[i], " ")
			}
			if got := strings.Join(left, " "); got != test.left {
				t.Errorf("Section() left out %q, want %q", got, test.left)
			}
		})
	}
}

func TestSectionProblems(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "f:1:1: not a Compose file",
		"services: [a]":                       "f:1:1: not a Compose file",
		"services: {web: {image: $IMAGE}}":    "f:1:18 services.web.image: a variable without a value",
		"services: {}\ninclude: [other.yaml]": "f:2:1 include: convert the output of docker compose config",
	} {
		if _, _, err := Section(document.File("f"), parsed(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Section(%q) = %v, want %q", text, err, want)
		}
	}
}

func parsed(t *testing.T, text string) *yaml.Node {
	t.Helper()
	top, err := document.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return top
}
