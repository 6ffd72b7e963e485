package datasource

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/cloudinit/datasource/fakecloud"
)

// EC2's clones have no tokens; they are asked without only where that is allowed.
func TestNetworkIMDSv1(t *testing.T) {
	t.Run("Ec2/forbidden", func(t *testing.T) {
		c := newCloud(t, "Ec2")
		c.Tokens = false
		_, err := c.source(Options{}).Read(t.Context())
		refused(t, err, "allow IMDSv1")
		if got := c.Requests(); len(got) != 1 {
			t.Errorf("it asked %q, want for a token alone", got)
		}
	})
	t.Run("Ec2/allowed", func(t *testing.T) {
		c := newCloud(t, "Ec2")
		c.Tokens = false
		data, err := c.source(Options{IMDSv1: true}).Read(t.Context())
		if err != nil || string(data.Raw) != userText {
			t.Errorf("Read() = %v, %v, want the user data", data, err)
		}
	})
	t.Run("Ec2/not needed", func(t *testing.T) {
		c := newCloud(t, "Ec2")
		// A service that is starting is no reason to do without a token.
		c.Fail(&fakecloud.Fault{First: 2, Path: "/latest/api/token", Status: 503})
		if _, err := c.source(Options{IMDSv1: true}).Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.Requests()[:3]; !slices.Equal(got, slices.Repeat([]string{"PUT /latest/api/token"}, 3)) {
			t.Errorf("it asked %q first, want for a token", got)
		}
	})
}

// A token that is out of date is replaced once, and no more.
func TestNetworkTokenExpires(t *testing.T) {
	for name, userData := range map[string]string{"Ec2": "/latest/user-data", "Akamai": "/v1/user-data", "AliYun": "/2016-01-01/user-data"} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, name)
			session := c.source(Options{}).(*service).session("http://192.0.2.1")
			defer session.close()
			if err := session.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.Expire()
			if _, err := session.get(t.Context(), userData); err != nil {
				t.Fatal(err)
			}
			if got := c.Requests(); len(got) != 4 {
				t.Errorf("it asked %q, want a token, the user data, a token, the user data", got)
			}
			c.Fail(&fakecloud.Fault{Path: userData, Status: 401})
			_, err := session.get(t.Context(), userData)
			refused(t, err, "401")
			if got := c.Requests(); len(got) != 7 {
				t.Errorf("it asked %q, want one more token and no second", got)
			}
		})
	}
}

// Version 1 of Oracle's service is asked where there is no version 2.
func TestNetworkOracle1(t *testing.T) {
	t.Run("Oracle", func(t *testing.T) {
		c := newCloud(t, "Oracle")
		c.Tokens, c.Strict = false, false
		data, err := c.source(Options{}).Read(t.Context())
		if err != nil || string(data.Raw) != userText || !strings.Contains(data.Path, "/opc/v1/") {
			t.Errorf("Read() = %v, %v, want the user data of version 1", data, err)
		}
	})
}

func TestNetworkGCE(t *testing.T) {
	packed := base64.StdEncoding.EncodeToString([]byte(userText))
	tests := []struct {
		name              string
		instance          fakecloud.Instance
		user, declaration string
		refused           string
	}{
		{"base64", fakecloud.Instance{ID: "1234567890123456789", UserData: []byte(packed), Encoding: "base64"}, userText, "", ""},
		{"declaration", fakecloud.Instance{ID: "1", Declaration: "spec: {}"}, "", "spec: {}", ""},
		{"unknown encoding", fakecloud.Instance{ID: "1", UserData: []byte(userText), Encoding: "gzip"}, "", "", `user-data-encoding is "gzip"`},
		{"not base64", fakecloud.Instance{ID: "1", UserData: []byte(userText), Encoding: "base64"}, "", "", "not base64"},
	}
	for _, tt := range tests {
		t.Run("GCE/"+tt.name, func(t *testing.T) {
			c := newCloud(t, "GCE")
			c.edit(func(i *fakecloud.Instance) { *i = tt.instance })
			data, err := c.source(Options{}).Read(t.Context())
			if tt.refused != "" {
				refused(t, err, tt.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(data.Raw) != tt.user || string(data.Declaration) != tt.declaration || data.InstanceID != tt.instance.ID {
				t.Errorf("Read() = %+v, want %q, %q", data, tt.user, tt.declaration)
			}
		})
	}
}
