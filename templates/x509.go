package templates

import "embed"

// X509 holds the shapes of the certificates, as JSON templates in the manner of
// step: x509/root.tpl, x509/ca.tpl, x509/board.tpl and x509/server.tpl. Package
// pki renders them and checks what comes out.
//
//go:embed x509/root.tpl x509/ca.tpl x509/board.tpl x509/server.tpl
var X509 embed.FS
