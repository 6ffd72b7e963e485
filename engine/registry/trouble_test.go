package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"

	remotetransport "github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

func TestTroubleOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Trouble
	}{
		{"no such host", &url.Error{Op: "Head", Err: &net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}}, TroubleDNS},
		{"an unknown authority", fmt.Errorf("ask: %w", x509.UnknownAuthorityError{}), TroubleCertificate},
		{"a wrong password", errors.Join(&remotetransport.Error{StatusCode: 401}), TroubleLogin},
		{"no permission", &remotetransport.Error{StatusCode: 403}, TroubleLogin},
		{"no image", &remotetransport.Error{StatusCode: 404}, TroubleMissing},
		{"too many requests", &remotetransport.Error{StatusCode: 429}, TroubleLimit},
		{"a broken registry", &remotetransport.Error{StatusCode: 500}, TroubleOther},
		{"a refused connection", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, TroubleConnection},
		{"no answer", context.DeadlineExceeded, TroubleConnection},
		{"another error", errors.New("other"), TroubleOther},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := TroubleOf(test.err); got != test.want {
				t.Errorf("TroubleOf(%v) = %s, want %s", test.err, got, test.want)
			}
		})
	}
}
