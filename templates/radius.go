package templates

import "embed"

// RADIUS holds the FreeRADIUS configuration of a site, under "radius/". The
// files that name an address, a client or a method are text/templates over the
// values that package pki/radius gives them; the others are laid down as they
// are.
//
//go:embed radius/dictionary radius/radiusd.conf radius/clients.conf
//go:embed radius/eap.conf radius/policy.conf radius/servers.conf
//go:embed radius/authorize radius/fragment radius/sql.conf
var RADIUS embed.FS
