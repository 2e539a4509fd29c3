package radius

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// ErrNoSession says that nobody is logged in there, so that there was nothing to
// end.
var ErrNoSession = errors.New("no such session")

// A NAKError is what an access point says when it does not end a session.
type NAKError struct {
	Cause uint32 // Error-Cause of RFC 5176, 3.5; zero when it gave none
}

func (e *NAKError) Error() string {
	if text := causes[e.Cause]; text != "" {
		return fmt.Sprintf("refused: %s (%d)", text, e.Cause)
	}
	return fmt.Sprintf("refused: cause %d", e.Cause)
}

// Is makes a cause that means it be ErrNoSession.
func (e *NAKError) Is(target error) bool {
	return target == ErrNoSession && e.Cause == noSession
}

const noSession = 503

var causes = map[uint32]string{
	0:         "no reason given",
	401:       "unsupported attribute",
	402:       "missing attribute",
	403:       "not the access point that was asked for",
	404:       "invalid request",
	405:       "unsupported service",
	406:       "unsupported extension",
	407:       "invalid attribute value",
	501:       "administratively prohibited",
	502:       "request not routable",
	noSession: "no such session",
	504:       "session cannot be removed",
	505:       "other proxy processing error",
	506:       "resources unavailable",
	507:       "request initiated",
	508:       "several sessions fit, and it ends one at a time",
}

// Disconnect ends the running session of a board at an access point or switch,
// which must take Disconnect-Requests (RFC 5176) with that secret. Revoke the
// board and reload first: a station that is cut logs in again at once.
//
// It asks twice: for the station with the board's address, and for whoever is
// logged in by its name, which a thief could do from another address. It returns
// nil when either was there and is gone. ErrNoSession means that neither is; a
// *NAKError says why a session goes on. Silence is an error too: a wrong secret
// gets no answer, and neither does a request whose time, now, is far from the
// access point's.
func Disconnect(ctx context.Context, nas netip.AddrPort, secret string, mac fleet.MAC, now time.Time) error {
	station := attribute{callingStationID, stationID(mac)}
	err := disconnect(ctx, nas, secret, station, now)
	if err != nil && !errors.Is(err, ErrNoSession) {
		return err
	}
	byName := disconnect(ctx, nas, secret, attribute{userName, []byte(mac.String())}, now)
	if err == nil && errors.Is(byName, ErrNoSession) {
		return nil
	}
	return byName
}

// disconnect asks for the end of the one session that who describes.
func disconnect(ctx context.Context, nas netip.AddrPort, secret string, who attribute, now time.Time) error {
	stamp := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()))
	answer, err := exchange(ctx, nas, secret, packet{disconnectRequest, []attribute{who, {eventTimestamp, stamp}}})
	if err != nil {
		return fmt.Errorf("disconnect at %w", err)
	}
	switch answer.code {
	case disconnectACK:
		return nil
	case disconnectNAK:
		nak := new(NAKError)
		if cause := answer.get(errorCause); len(cause) == 4 {
			nak.Cause = binary.BigEndian.Uint32(cause)
		}
		return fmt.Errorf("disconnect at %s: %w", nas, nak)
	}
	return fmt.Errorf("disconnect at %s: answers with code %d, want %d or %d", nas, answer.code, disconnectACK, disconnectNAK)
}

// stationID spells mac as access points do (RFC 3580, 3.21).
func stationID(mac fleet.MAC) []byte {
	var pairs []string
	for _, b := range mac {
		pairs = append(pairs, hex.EncodeToString([]byte{b}))
	}
	return []byte(strings.ToUpper(strings.Join(pairs, "-")))
}
