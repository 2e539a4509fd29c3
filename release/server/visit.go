package server

import (
	"log/slog"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A visit is what is told of a connection: when it is parked, and when it ends.
type visit struct {
	answer
	verdict string
	sent    int64
	err     error
}

// record logs v, and hands it on when the MAC is an enrolled one: strangers
// could fill any book.
func (c *caller) record(v visit) {
	if c.Visits == nil && !c.Log.Enabled(c.ctx, level(v.verdict)) {
		return
	}
	now := c.Now()
	said := fleet.Visit{
		MAC: c.request.MAC(), Time: now, Remote: c.conn.RemoteAddr().String(),
		Protocol: "v1", Sent: v.sent, Verdict: v.verdict,
	}
	if v.blob != nil {
		said.Version = v.blob.Version
	}
	line := []slog.Attr{
		slog.String("mac", c.name()), slog.String("remote", said.Remote),
		slog.String("version", said.Version), slog.Int64("bytes", v.sent),
		slog.Duration("duration", now.Sub(c.began)), slog.String("verdict", v.verdict),
	}
	if v.err != nil {
		line = append(line, slog.Any("error", v.err))
	}
	c.telling.aside(func() { // a parked connection lives on
		c.Log.LogAttrs(c.ctx, level(v.verdict), "visit", line...)
		if c.Visits != nil && v.device.MAC != (fleet.MAC{}) {
			c.Visits(said)
		}
	})
}

// name returns what is known of the MAC: all of it, or what was heard.
func (c *caller) name() string {
	if c.request.MAC() != (fleet.MAC{}) {
		return c.request.MAC().String()
	}
	return string(c.request.Heard())
}

func level(verdict string) slog.Level {
	switch verdict {
	case "looping", "imposter", "stalled":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
