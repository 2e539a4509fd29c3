package radius

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Query asks a running server, as one of its Clients, whether a list of boards
// is the one it goes by.
type Query struct {
	Server netip.AddrPort
	Secret string
}

// Query is how a program on the server's own machine asks it. The error says
// which client is missing: only clients are answered.
func (s Server) Query() (Query, error) {
	address := s.Address
	if address.IsUnspecified() {
		address = netip.MustParseAddr("127.0.0.1")
		if s.Address.Is6() {
			address = netip.IPv6Loopback()
		}
	}
	for _, c := range smallestFirst(s.Clients) {
		if c.Net.Contains(address) {
			return Query{netip.AddrPortFrom(address, s.Port), c.Secret}, nil
		}
	}
	return Query{}, fmt.Errorf("RADIUS clients: none has the address %s, from which the server is asked for its state", address)
}

// FreeRADIUS asks a server that was started on what Export wrote. An error means
// that it is not known.
func (q Query) FreeRADIUS(ctx context.Context, state fleet.Digest) (bool, error) {
	name := stateName + state.Hex()
	answer, err := exchange(ctx, q.Server, q.Secret, packet{statusServer, []attribute{
		{userName, []byte(name)},
		{nasIdentifier, []byte("tcpboot")},
	}})
	if err != nil {
		return false, fmt.Errorf("RADIUS server: %w", err)
	}
	if answer.code != accessAccept {
		return false, fmt.Errorf("RADIUS server %s: answers with code %d, want %d", q.Server, answer.code, accessAccept)
	}
	return string(answer.get(replyMessage)) == name, nil
}

// Hostapd asks a server that was started on what Hostapd wrote. An error means
// that it is not known. Yes also means that the server has read the CRLs that
// were in place before the list.
func (q Query) Hostapd(ctx context.Context, state fleet.Digest) (bool, error) {
	name := stateName + state.Hex()
	answer, err := exchange(ctx, q.Server, q.Secret, packet{accessRequest, []attribute{
		{userName, []byte(name)},
		{nasIdentifier, []byte("tcpboot")},
		{eapMessage, eapIdentity(name)},
	}})
	if err != nil {
		return false, fmt.Errorf("RADIUS server: %w", err)
	}
	switch answer.code {
	case accessChallenge: // would go on: it knows the name
		return true, nil
	case accessReject:
		return false, nil
	}
	return false, fmt.Errorf("RADIUS server %s: answers with code %d, want %d or %d", q.Server, answer.code, accessChallenge, accessReject)
}

// eapIdentity is how a station says its name (RFC 3748, 5.1).
func eapIdentity(name string) []byte {
	const response, identity = 2, 1
	return append([]byte{response, 0, 0, byte(5 + len(name)), identity}, name...)
}
