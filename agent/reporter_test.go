package agent

import (
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

func TestUserDataClause(t *testing.T) {
	tests := []struct {
		source     api.Source
		containers int
		waiting    string
		want       string
	}{
		{api.Source{}, 0, "", "0 containers assigned, no user data"},
		{api.Source{}, 1, "waiting for EC2", "waiting for EC2; 1 container assigned"},
		{api.Source{Datasource: "Ec2", InstanceID: "i-1"}, 2, "", "2 containers assigned by Ec2, instance i-1"},
		{api.Source{Datasource: "Ec2", Problems: []string{"a", "b"}}, 2, "", "2 containers assigned: a"},
		{api.Source{Problems: []string{"a"}, LastKnownGood: true}, 2, "", "2 containers assigned, last known good: a"},
	}
	for _, test := range tests {
		if got := userDataClause(test.source, test.containers, test.waiting); got != test.want {
			t.Errorf("userDataClause(%+v, %d, %q) = %q, want %q", test.source, test.containers, test.waiting, got, test.want)
		}
	}
}
