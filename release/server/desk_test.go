package server_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
)

// fetching is a shelf that has to fetch what the channel slow gets.
type fetching struct{ *site }

func (f fetching) Pick(ctx context.Context, d fleet.Device) (*server.Blob, error) {
	b, err := f.site.Pick(ctx, d)
	if err != nil && d.Channel == "slow" {
		return nil, server.ErrNotYet
	}
	return b, err
}

// However many boards wait for an image that is being fetched, those that want
// another are served, and the first when it is there.
func TestImageThatIsFetchedFirst(t *testing.T) {
	h := build(t, server.Limits{})
	h.Shelf = fetching{h.site}
	h.start(nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1000))
	slow := stable(2)
	slow.Channel = "slow"
	h.enrol(slow)
	first := h.call(mac(2).String())
	h.expect("fetching")
	for range 4 * runtime.GOMAXPROCS(0) {
		h.call(mac(2).String())
		h.expect("fetching")
	}
	boots(t, h.call(mac(1).String()), image(1000))
	h.expect("served")
	silent(t, first)
	h.publish(t, "slow", image(2000))
	h.Recheck()
	boots(t, first, image(2000))
}

// jam is a log that takes nothing until it is opened.
type jam struct {
	teller
	open chan struct{}
}

func (j jam) Handle(ctx context.Context, r slog.Record) error {
	<-j.open
	return j.teller.Handle(ctx, r)
}

// A log that does not keep up keeps no board from its image.
func TestLogThatIsJammed(t *testing.T) {
	h := build(t, server.Limits{})
	j := jam{teller{h.told}, make(chan struct{})}
	h.Log = slog.New(j)
	h.start(nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1000))
	for range 4 * runtime.GOMAXPROCS(0) {
		h.call(mac(99).String()) // unknown: a line that does not get out
	}
	boots(t, h.call(mac(1).String()), image(1000))
	close(j.open)
}
