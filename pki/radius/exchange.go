package radius

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// resend says how long each sending of a question waits for its answer. They are
// the same bytes, so whoever got the first twice knows it.
var resend = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}

// errSilence is also what a wrong secret gets, and who is not allowed to ask.
var errSilence = errors.New("no answer: is it running, is this machine among its clients, and is the secret right?")

// exchange asks over UDP until there is an answer, which was made with the secret.
func exchange(ctx context.Context, to netip.AddrPort, secret string, question packet) (packet, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", to.String())
	if err != nil {
		return packet{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request := question.request(secret)
	for _, patience := range resend {
		answer, err := ask(conn, request, secret, time.Now().Add(patience))
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return packet{}, fmt.Errorf("%s: %w (%w)", to, errSilence, ctx.Err())
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return packet{}, err
		}
	}
	return packet{}, fmt.Errorf("%s: %w", to, errSilence)
}

// ask sends request once and waits for the answer. What is none is passed over:
// anybody may send it.
func ask(conn net.Conn, request []byte, secret string, until time.Time) (packet, error) {
	if err := conn.SetDeadline(until); err != nil {
		return packet{}, err
	}
	if _, err := conn.Write(request); err != nil {
		return packet{}, err
	}
	b := make([]byte, packetSize)
	for {
		n, err := conn.Read(b)
		if err != nil {
			return packet{}, err
		}
		if answer, err := parseAnswer(b[:n], request, secret); err == nil {
			return answer, nil
		}
	}
}
