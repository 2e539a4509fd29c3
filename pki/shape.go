package pki

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// A shape is what one certificate has to be; no template can make it another.
type shape struct {
	kind     string // in errors: "board"
	name     string // the common name
	dnsNames []string
	ca       bool
	pathLen  int // of a CA
	usage    x509.KeyUsage
	extended []x509.ExtKeyUsage
	notAfter time.Time
}

func rootShape(h Hierarchy, site string) shape {
	return shape{
		kind: "root", name: h.rootName(site), notAfter: never,
		ca: true, pathLen: 1, usage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func caShape(h Hierarchy, site string, number int) shape {
	return shape{
		kind: "CA", name: h.caName(site, number), notAfter: h.caEnd(),
		ca: true, pathLen: 0, usage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		extended: []x509.ExtKeyUsage{h.use(), x509.ExtKeyUsageOCSPSigning},
	}
}

func boardShape(mac string) shape {
	return shape{
		kind: "board", name: mac, notAfter: never,
		usage: x509.KeyUsageDigitalSignature, extended: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func serverShape(name string, notAfter time.Time) shape {
	return shape{
		kind: "server", name: name, dnsNames: []string{name}, notAfter: notAfter,
		usage: x509.KeyUsageDigitalSignature, extended: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// radiusShape is serverShape for the RADIUS server. A station may encrypt its
// secret to an RSA key, and those of before 2020 do nothing else.
func radiusShape(name string, pub crypto.PublicKey, notAfter time.Time) shape {
	s := serverShape(name, notAfter)
	if _, ok := pub.(*rsa.PublicKey); ok {
		s.usage |= x509.KeyUsageKeyEncipherment
	}
	return s
}

// check compares what a rendered and an issued certificate have in common.
func (s shape) check(c *x509.Certificate) error {
	switch {
	case c.Subject.CommonName != s.name || !oneCommonName(c.Subject):
		return fmt.Errorf("common name %.64q: want %q, once", c.Subject.CommonName, s.name)
	case !c.BasicConstraintsValid || c.IsCA != s.ca:
		return fmt.Errorf("CA:%t: want CA:%t, stated", c.IsCA, s.ca)
	case s.ca && (c.MaxPathLen != s.pathLen || c.MaxPathLenZero != (s.pathLen == 0)):
		return fmt.Errorf("path length %d: want %d", c.MaxPathLen, s.pathLen)
	case c.KeyUsage != s.usage:
		return fmt.Errorf("key usage %#x: want %#x", int(c.KeyUsage), int(s.usage))
	case !slices.Equal(c.ExtKeyUsage, s.extended) || len(c.UnknownExtKeyUsage) != 0:
		return fmt.Errorf("extended key usage %v %v: want %v", c.ExtKeyUsage, c.UnknownExtKeyUsage, s.extended)
	case !slices.Equal(c.DNSNames, s.dnsNames):
		return fmt.Errorf("DNS names %.64q: want %q", c.DNSNames, s.dnsNames)
	}
	return nil
}

// oneCommonName is false when n carries attributes beside its named fields, as
// a template may ask, or two common names, as a certificate may hold.
func oneCommonName(n pkix.Name) bool {
	names := 0
	for _, a := range n.Names {
		if a.Type.Equal(oidCommonName) {
			names++
		}
	}
	return names <= 1 && len(n.ExtraNames) == 0
}

// checkRendered also refuses whatever else a template asks for: another name,
// an extension, a date, a serial number, an issuer.
func (s shape) checkRendered(c *x509.Certificate) error {
	if err := s.check(c); err != nil {
		return err
	}
	rest := reflect.ValueOf(*c)
	for i := range rest.NumField() {
		field := rest.Type().Field(i).Name
		if !rest.Field(i).IsZero() && !slices.Contains(shapedFields, field) {
			return fmt.Errorf("asks for %s, which is not the template's to choose", field)
		}
	}
	return nil
}

// shapedFields are the fields that check judges, and the public key, which
// x509util fills in.
var shapedFields = []string{
	"Subject", "BasicConstraintsValid", "IsCA", "MaxPathLen", "MaxPathLenZero",
	"KeyUsage", "ExtKeyUsage", "UnknownExtKeyUsage", "DNSNames",
	"PublicKey", "PublicKeyAlgorithm",
}

// checkIssued also compares validity and the list of extensions.
func (s shape) checkIssued(c *x509.Certificate) error {
	if err := s.check(c); err != nil {
		return err
	}
	if !c.NotBefore.Equal(notBefore) || !c.NotAfter.Equal(s.notAfter) {
		return fmt.Errorf("valid from %v to %v: want %v to %v", c.NotBefore, c.NotAfter, notBefore, s.notAfter)
	}
	for _, e := range c.Extensions {
		if !slices.ContainsFunc(s.extensions(), e.Id.Equal) {
			return fmt.Errorf("extension %v: has no place here", e.Id)
		}
	}
	return nil
}

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSubjectKeyID = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidSubjectNames = asn1.ObjectIdentifier{2, 5, 29, 17}

	// leafExtensions: key usage, basic constraints, authority key identifier,
	// extended key usage.
	leafExtensions = []asn1.ObjectIdentifier{{2, 5, 29, 15}, {2, 5, 29, 19}, {2, 5, 29, 35}, {2, 5, 29, 37}}
)

// extensions lists what may stand in a certificate of shape s. None stands
// twice: crypto/x509 refuses that.
func (s shape) extensions() []asn1.ObjectIdentifier {
	switch {
	case s.ca:
		return append(slices.Clip(leafExtensions), oidSubjectKeyID)
	case len(s.dnsNames) != 0:
		return append(slices.Clip(leafExtensions), oidSubjectNames)
	}
	return leafExtensions
}
