package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	remotetransport "github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Trouble is the kind of an error of this package.
type Trouble string

// The kinds of errors.
const (
	// TroubleDNS means that DNS does not know the registry.
	TroubleDNS Trouble = "dns"
	// TroubleCertificate means that TLS does not trust the registry.
	TroubleCertificate Trouble = "certificate"
	// TroubleLogin means that the registry refuses the login, or wants one.
	TroubleLogin Trouble = "login"
	// TroubleMissing means that the registry does not have the image.
	TroubleMissing Trouble = "missing"
	// TroubleLimit means that the registry has had too many requests.
	TroubleLimit Trouble = "limit"
	// TroubleConnection means that the registry does not answer.
	TroubleConnection Trouble = "connection"
	// TroubleOther is any other error.
	TroubleOther Trouble = "other"
)

// TroubleOf returns the kind of an error of [Registries.Digest] or
// [Registries.PullSize].
func TroubleOf(err error) Trouble {
	if answer, ok := errors.AsType[*remotetransport.Error](err); ok {
		return troubleOfStatus(answer.StatusCode)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return TroubleDNS
	}
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, hostname := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	if verification || authority || hostname || invalid || record {
		return TroubleCertificate
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return TroubleConnection
	}
	return TroubleOther
}

func troubleOfStatus(code int) Trouble {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return TroubleLogin
	case http.StatusNotFound:
		return TroubleMissing
	case http.StatusTooManyRequests:
		return TroubleLimit
	}
	return TroubleOther
}
