package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

var channelFlag = &cli.StringFlag{Name: "channel", Usage: "channel `CH` (default: the site's)"}

var publishVerb = &cli.Command{
	Name:      "publish",
	Usage:     "offer a release on a channel",
	ArgsUsage: "VERSION",
	Description: "A manifest states its place on each channel. On a channel that it does not name, or\n" +
		"for a step back behind what was offered there, the same bytes are stated again,\n" +
		"which takes the release key.",
	BashComplete: completeVersions,
	Flags: []cli.Flag{channelFlag, hardwareFlag,
		&cli.IntFlag{Name: "percent", Usage: "to `P` per cent of the boards; raising it only adds boards", Value: 100},
	},
	Action: withSite(releasePublish),
}

var pauseVerb = &cli.Command{
	Name: "pause", Usage: "hold an offer back; boards that have it keep it",
	Flags: []cli.Flag{channelFlag, hardwareFlag}, Action: withSite(func(s *session) error { return s.setPaused(true) }),
}

var resumeVerb = &cli.Command{
	Name: "resume", Usage: "end a pause",
	Flags: []cli.Flag{channelFlag, hardwareFlag}, Action: withSite(func(s *session) error { return s.setPaused(false) }),
}

var withdrawVerb = &cli.Command{
	Name: "withdraw", Usage: "take an offer off a channel; the release stays",
	Flags: []cli.Flag{channelFlag, hardwareFlag}, Action: withSite(releaseWithdraw),
}

func (s *session) channel() (string, error) {
	if ch := s.cli.String("channel"); ch != "" {
		if err := fleet.CheckName("channel", ch); err != nil {
			return "", usageError{err}
		}
		return ch, nil
	}
	return s.site.Settings.Channel, nil
}

func releasePublish(s *session) error {
	if err := wantArgs(s.cli, 1, "a version"); err != nil {
		return err
	}
	channel, err := s.channel()
	if err != nil {
		return err
	}
	percent := s.cli.Int("percent")
	if percent < 0 || percent > 100 {
		return usagef("--percent %d: want 0 to 100", percent)
	}
	found, err := s.releases(s.ctx(), s.cli.Args().First())
	if err != nil {
		return err
	}
	var published []fleet.Offer
	for _, statements := range byHardware(found) {
		r, err := s.statementFor(statements, channel)
		if err != nil {
			return err
		}
		o := fleet.Offer{
			Hardware: r.Manifest.Hardware, Channel: channel, Version: r.Manifest.Version,
			Manifest: r.Digest, Sequence: r.Manifest.Sequences[channel], Percent: percent,
		}
		if err := s.fleet.Publish(s.ctx(), o); err != nil { // now it is offered
			return err
		}
		published = append(published, o)
	}
	return s.answerOffers("published", published)
}

// byHardware groups statements, in the order in which they came.
func byHardware(found []*release.Release) (groups [][]*release.Release) {
	for _, r := range found {
		i := slices.IndexFunc(groups, func(g []*release.Release) bool { return g[0].Manifest.Hardware == r.Manifest.Hardware })
		if i < 0 {
			groups = append(groups, []*release.Release{r})
		} else {
			groups[i] = append(groups[i], r)
		}
	}
	return groups
}

// statementFor returns a statement of the release that boards on channel will
// take: the one that is offered there, or one with a higher sequence than any
// that ever was, made now where there is none. What is offered is proved first.
func (s *session) statementFor(statements []*release.Release, channel string) (*release.Release, error) {
	r, err := s.chooseStatement(statements, channel)
	if err != nil {
		return nil, err
	}
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	whole, err := layout.Load(s.ctx(), r.Digest)
	if err != nil {
		return nil, err
	}
	return r, s.verifyWhole(whole)
}

func (s *session) chooseStatement(statements []*release.Release, channel string) (*release.Release, error) {
	hardware := statements[0].Manifest.Hardware
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return nil, err
	}
	for _, o := range offers {
		for _, r := range statements {
			if o.Hardware == hardware && o.Channel == channel && r.Digest == o.Manifest {
				return r, nil
			}
		}
	}
	last, err := s.fleet.Published(s.ctx(), hardware, channel)
	if err != nil {
		return nil, err
	}
	for _, r := range statements {
		if r.Manifest.Sequences[channel] > last {
			return r, nil
		}
	}
	return s.restate(statements[0], channel)
}

// restate states the bytes of a release again, under the next sequence of channel.
func (s *session) restate(r *release.Release, channel string) (*release.Release, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	whole, err := layout.Load(s.ctx(), r.Digest)
	if err != nil {
		return nil, err
	}
	if err := s.verifyWhole(whole); err != nil {
		return nil, err
	}
	key, err := s.releaseSigner()
	if err != nil {
		return nil, err
	}
	n, err := s.fleet.Sequence(s.ctx(), r.Manifest.Hardware, r.Manifest.Version, []string{channel})
	if err != nil {
		return nil, err
	}
	again, err := release.Restate(whole, n.Sequences, auditHead(n.Audit), key)
	if err != nil {
		return nil, err
	}
	say(s.cli, "%s for %s is stated again for channel %s, sequence %d", r.Manifest.Version, r.Manifest.Hardware, channel, n.Sequences[channel])
	attached, err := s.attachAgain(r, again, key)
	if err != nil {
		return nil, err
	}
	return again, layout.Store(s.ctx(), again, attached...)
}

func (s *session) setPaused(paused bool) error {
	return s.eachOffer(func(o *fleet.Offer) (string, error) {
		o.Paused = paused
		what := map[bool]string{true: "paused", false: "resumed"}[paused]
		return what, s.fleet.Publish(s.ctx(), *o)
	})
}

func releaseWithdraw(s *session) error {
	return s.eachOffer(func(o *fleet.Offer) (string, error) {
		return "withdrawn", s.fleet.Withdraw(s.ctx(), o.Hardware, o.Channel)
	})
}

// eachOffer does something to what a channel offers, of one hardware or of all.
func (s *session) eachOffer(do func(*fleet.Offer) (done string, err error)) error {
	channel, err := s.channel()
	if err != nil {
		return err
	}
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return err
	}
	var what string
	var touched []fleet.Offer
	for _, o := range offers {
		if hw := s.cli.String("hardware"); o.Channel != channel || hw != "" && o.Hardware != hw {
			continue
		}
		if what, err = do(&o); err != nil {
			return err
		}
		touched = append(touched, o)
	}
	if len(touched) == 0 {
		return fmt.Errorf("channel %s offers nothing%s", channel, forHardware(s.cli.String("hardware")))
	}
	return s.answerOffers(what, touched)
}

func (s *session) answerOffers(what string, offers []fleet.Offer) error {
	return answer(s.cli, offers, func(w io.Writer) {
		for _, o := range offers {
			fmt.Fprintf(w, "%s %s for %s on %s, sequence %d, %d%%\n", what, o.Version, o.Hardware, o.Channel, o.Sequence, o.Percent)
		}
	})
}
