package templates

import "embed"

// Hostapd holds the configuration of hostapd as the RADIUS server of a small
// site, under "hostapd/": text/templates over the values that package pki/radius
// gives them, and the comment that opens the list of boards.
//
//go:embed hostapd/hostapd.conf hostapd/radius_clients hostapd/eap_user
var Hostapd embed.FS
