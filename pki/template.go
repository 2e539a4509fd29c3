package pki

import (
	"crypto"
	"crypto/x509"
	"fmt"

	"go.step.sm/crypto/x509util"

	"github.com/tcpboot/tcpboot/templates"
)

// Templates are the shapes of certificates, in the template language of step:
// they render to JSON from .Subject.CommonName, .SANs, .Site, .Use (the
// extended key usage of the leaves, "clientAuth" or "serverAuth") and
// .Encipherment (true for a RADIUS server with an RSA key: it wants the key usage
// keyEncipherment too). A template is code that runs here: take it from the site's
// owner and nobody else.
type Templates struct {
	Root, CA, Board, Server string
}

// DefaultTemplates returns the embedded templates.
func DefaultTemplates() Templates {
	return Templates{
		Root:   embedded("root"),
		CA:     embedded("ca"),
		Board:  embedded("board"),
		Server: embedded("server"),
	}
}

func embedded(name string) string {
	text, err := templates.X509.ReadFile("x509/" + name + ".tpl")
	if err != nil {
		panic(err) // the compiler embedded it
	}
	return string(text)
}

// render returns what the template text asks for, which is exactly what s
// allows: a subject with the right common name, and the usages of s.
func (a *Authority) render(text string, s shape, pub crypto.PublicKey) (*x509.Certificate, error) {
	data := x509util.CreateTemplateData(s.name, s.dnsNames)
	data.Set("Site", a.site)
	data.Set("Use", a.hierarchy.useName())
	data.Set("Encipherment", s.usage&x509.KeyUsageKeyEncipherment != 0)
	rendered, err := x509util.NewCertificateFromX509(&x509.Certificate{PublicKey: pub}, x509util.WithTemplate(text, data))
	if err != nil {
		return nil, fmt.Errorf("%s template: %w", s.kind, err)
	}
	c := rendered.GetCertificate()
	if err := s.checkRendered(c); err != nil {
		return nil, fmt.Errorf("%s template: %w", s.kind, err)
	}
	return c, nil
}
