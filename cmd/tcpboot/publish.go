package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

var channelFlag = &cli.StringFlag{Name: "channel", Usage: "channel `CH` (default: the site's)"}

var publishVerb = &cli.Command{
	Name:      "publish",
	Usage:     "offer a release on a channel",
	ArgsUsage: "VERSION",
	Description: "A manifest states its place on each channel. On a channel that it does not name, or\n" +
		"for a step back behind what was offered there, the same bytes are stated again,\n" +
		"which takes the release key. A release of a loader is offered on the channel loader-CH\n" +
		"to boards that follow CH, whose applications ask for it.\n\n" +
		"With --waves it goes to some boards first, and every wave keeps those before it.\n" +
		"`release approve` lets it into the next one, or with --advance `release advance`,\n" +
		"which goes by what boards report. With --stop servers hold it back by themselves,\n" +
		"until `release resume`. Boards report by version 2 alone: those of the old\n" +
		"protocol go on by hand.",
	BashComplete: completeVersions,
	Flags: slices.Concat([]cli.Flag{channelFlag, hardwareFlag}, planFlags, []cli.Flag{
		&cli.BoolFlag{Name: "allow-downgrade", Usage: "though its security counter is lower than that of one before; takes --reason"},
		offerReasonFlag, visitsFlag,
	}, moveFlags),
	Action: withSite(releasePublish),
}

var offerReasonFlag = &cli.StringFlag{Name: "reason", Usage: "`TEXT` for the audit trail"}

// offerFlags are those of verbs that change what a channel offers.
var offerFlags = slices.Concat([]cli.Flag{channelFlag, hardwareFlag, offerReasonFlag, visitsFlag}, moveFlags)

var pauseVerb = &cli.Command{
	Name: "pause", Usage: "hold an offer back; boards that have it keep it",
	Flags: offerFlags, Action: withSite(releasePause),
}

var resumeVerb = &cli.Command{
	Name: "resume", Usage: "end a pause or a stop; what was reported before counts no more",
	Flags: offerFlags, Action: withSite(releaseResume),
}

var withdrawVerb = &cli.Command{
	Name: "withdraw", Usage: "take an offer off a channel; the release stays",
	Flags: offerFlags, Action: withSite(releaseWithdraw),
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
	if s.cli.Bool("allow-downgrade") && s.cli.String("reason") == "" {
		return usagef("--allow-downgrade: --reason says why, for the audit trail")
	}
	channel, err := s.channel()
	if err != nil {
		return err
	}
	plan, percent, err := readPlan(s.cli)
	if err != nil {
		return err
	}
	found, err := s.releases(s.ctx(), s.cli.Args().First())
	if err != nil {
		return err
	}
	if channel, err = channelFor(found[0].Manifest.Kind, channel); err != nil {
		return err
	}
	wanted := fleet.Offer{Channel: channel, Percent: percent, Plan: plan, Reason: s.cli.String("reason")}
	trial, err := dry(s.cli)
	if err != nil {
		return err
	}
	if trial {
		return s.tryPublish(found, wanted)
	}
	s.tryToFollowLoaders()
	var published []fleet.Offer
	for _, statements := range byHardware(s.counting(found)) {
		o, err := s.publish(statements, wanted)
		if err != nil {
			return err
		}
		published = append(published, o)
	}
	return s.answerOffers("published", published)
}

// publish offers a release on a channel; o says on which, and how. What the channel
// offers is looked at first: whatever is judged, and whatever stays for boards that are
// not reached, goes by that.
func (s *session) publish(statements []*release.Release, o fleet.Offer) (fleet.Offer, error) {
	last, err := s.offerNow(statements[0].Manifest.Hardware, o.Channel)
	if err != nil {
		return o, err
	}
	if o, err = s.plan(statements, o); err != nil {
		return o, err
	}
	r, err := s.statementFor(statements, o.Channel)
	if err != nil {
		return o, err
	}
	o.Manifest, o.Sequence = r.Digest, r.Manifest.Sequences[o.Channel]
	o = release.Follow(last, o)
	if len(o.Plan.Waves) > 0 || release.Stops(o.Plan) {
		if o.Plan.Since, err = s.since(o.Manifest); err != nil {
			return o, err
		}
	}
	return o, s.fleet.Publish(s.ctx(), last, o) // now it is offered
}

// plan completes an offer with what it offers and how far its waves go, or says why
// it should not be made.
func (s *session) plan(statements []*release.Release, o fleet.Offer) (fleet.Offer, error) {
	m := &statements[0].Manifest
	o.Hardware, o.Version = m.Hardware, m.Version
	if err := s.mistakes(statements[0], o.Channel); err != nil {
		return o, err
	}
	o.Plan.Waves = slices.Clone(o.Plan.Waves)
	if slices.ContainsFunc(o.Plan.Waves, func(w fleet.Wave) bool { return w.Count > 0 }) {
		if err := release.CountWaves(o, s.members(o.Hardware, o.Channel)); err != nil {
			return o, err
		}
	}
	if err := release.CheckPlan(o); err != nil {
		return o, usageError{err}
	}
	return o, s.tellOfReports(o)
}

// since is from when on reports of an offer count that begins now: after every stop
// of it, should the clock of a server be ahead.
func (s *session) since(manifest fleet.Digest) (time.Time, error) {
	now := time.Now().UTC()
	l, err := s.readLedger()
	if err != nil {
		return now, err
	}
	defer l.close()
	stops, err := l.stops(s.ctx())
	for _, stop := range stops {
		if stop.Manifest == manifest && !stop.Time.Before(now) {
			now = stop.Time.Add(1)
		}
	}
	return now, err
}

// tellOfReports says which boards take no part in what a plan goes by.
func (s *session) tellOfReports(o fleet.Offer) error {
	if o.Plan.Advance == 0 && !release.Stops(o.Plan) {
		return nil
	}
	reporting, boards, err := s.reporting(o)
	if err == nil && reporting < boards {
		say(s.cli, "%d of %d boards of %s on %s are of the old protocol and report nothing", boards-reporting, boards, o.Hardware, o.Channel)
	}
	return err
}

// offerNow is what a channel offers to a hardware now; the zero Offer for nothing.
func (s *session) offerNow(hardware, channel string) (fleet.Offer, error) {
	offers, err := s.fleet.Offers(s.ctx())
	for _, o := range offers {
		if o.Hardware == hardware && o.Channel == channel {
			return o, err
		}
	}
	return fleet.Offer{}, err
}

// tryPublish lists the boards that would move.
func (s *session) tryPublish(found []*release.Release, wanted fleet.Offer) error {
	now, err := s.goods()
	if err != nil {
		return err
	}
	m := s.newMover()
	for _, statements := range byHardware(found) {
		o, err := s.plan(statements, wanted)
		if err != nil {
			return err
		}
		r, err := s.findStatement(statements, o.Channel)
		if err != nil {
			return err
		}
		last, err := s.offerNow(o.Hardware, o.Channel)
		if err != nil {
			return err
		}
		after := now
		if r == nil {
			highest, err := s.fleet.Published(s.ctx(), o.Hardware, o.Channel)
			if err != nil {
				return err
			}
			r = supposed(statements[0], o.Channel, highest+1)
			after = &goods{release.NewCatalog(append(now.catalog.All(), r)...), now.offers}
		}
		o.Manifest, o.Sequence = r.Digest, r.Manifest.Sequences[o.Channel]
		if err := m.group(s, o.Hardware, o.Channel, now, after.with(release.Follow(last, o))); err != nil {
			return err
		}
	}
	return m.end(s)
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
	_, err = s.wholeVariants(layout, r)
	return r, err
}

func (s *session) chooseStatement(statements []*release.Release, channel string) (*release.Release, error) {
	r, err := s.findStatement(statements, channel)
	if err != nil || r != nil {
		return r, err
	}
	return s.restate(statements[0], channel)
}

// findStatement is chooseStatement where nothing may be signed: nil when there is none.
func (s *session) findStatement(statements []*release.Release, channel string) (*release.Release, error) {
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
	return nil, nil
}

// restate states the bytes of a release again, under the next sequence of channel.
func (s *session) restate(r *release.Release, channel string) (*release.Release, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	all, err := s.wholeVariants(layout, r)
	if err != nil {
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
	var again []bundle.Whole
	for _, whole := range all {
		one, err := release.Restate(whole, n.Sequences, auditHead(n.Audit), key)
		if err != nil {
			return nil, err
		}
		attached, err := s.attachAgain(whole, one, key)
		if err != nil {
			return nil, err
		}
		again = append(again, bundle.Whole{Release: one, Attached: attached})
	}
	say(s.cli, "%s for %s is stated again for channel %s, sequence %d", r.Manifest.Version, r.Manifest.Hardware, channel, n.Sequences[channel])
	return again[0].Release, layout.StoreVariants(s.ctx(), again...)
}

// wholeVariants loads and proves a release and its variants, itself first.
func (s *session) wholeVariants(layout *depot, r *release.Release) (all []*release.Release, err error) {
	releases, err := layout.Releases(s.ctx())
	if err != nil {
		return nil, err
	}
	for _, v := range release.NewCatalog(releases...).Variants(r) {
		whole, err := layout.Load(s.ctx(), v.Digest)
		if err == nil {
			err = s.verifyWhole(whole)
		}
		if err != nil {
			return nil, err
		}
		if all = append(all, whole); v.Digest == r.Digest {
			last := len(all) - 1
			all[0], all[last] = all[last], all[0]
		}
	}
	return all, nil
}

// An offerChange makes an offer, as it is then, another one; seen is what it was when
// somebody decided that.
type offerChange func(seen fleet.Offer, o *fleet.Offer) error

func releasePause(s *session) error { // whatever its wave is by now
	return s.eachOffer("release.pause", "paused", func(_ fleet.Offer, o *fleet.Offer) error {
		o.Paused, o.Reason = true, s.cli.String("reason")
		return nil
	})
}

func releaseResume(s *session) error {
	return s.eachOffer("release.resume", "resumed", func(seen fleet.Offer, o *fleet.Offer) error {
		if err := unchanged(seen, *o); err != nil { // it may be stopped for more by now
			return err
		}
		o.Paused, o.Plan.Stopped, o.Reason = false, "", s.cli.String("reason")
		if !release.Stops(o.Plan) {
			return nil
		}
		var err error
		o.Plan.Since, err = s.since(o.Manifest)
		return err
	})
}

func releaseWithdraw(s *session) error { return s.eachOffer("", "withdrawn", nil) }

// unchanged refuses an offer that is not as it was seen.
func unchanged(seen, is fleet.Offer) error {
	if reflect.DeepEqual(seen, is) {
		return nil
	}
	return fmt.Errorf("%s for %s on %s: %w", seen.Version, seen.Hardware, seen.Channel, registry.ErrChanged)
}

// eachOffer does something to what a channel offers, of one hardware or of all: it
// changes each offer, or withdraws it where change is nil; none, where one of them is
// refused. What somebody else has put there meanwhile stays.
func (s *session) eachOffer(action, done string, change offerChange) error {
	channel, err := s.channel()
	if err != nil {
		return err
	}
	trial, err := dry(s.cli)
	if err != nil {
		return err
	}
	offers, err := s.offersOn(channel, s.cli.String("hardware"))
	if err != nil {
		return err
	}
	after, err := changed(offers, change)
	if err != nil {
		return err
	}
	if trial {
		return s.tryEach(offers, after)
	}
	for i, o := range offers {
		if change == nil {
			err = s.fleet.Withdraw(s.ctx(), o, s.cli.String("reason"))
		} else {
			offers[i], err = s.changeOffer(action, o, change)
		}
		if err != nil {
			return err
		}
	}
	return s.answerOffers(done, offers)
}

// changed are offers as change makes them; nil where it is nil.
func changed(offers []fleet.Offer, change offerChange) (after []fleet.Offer, err error) {
	if change == nil {
		return nil, nil
	}
	for _, o := range offers {
		seen := o
		if err := change(seen, &o); err != nil {
			return nil, err
		}
		after = append(after, o)
	}
	return after, nil
}

func (s *session) changeOffer(action string, seen fleet.Offer, change offerChange) (fleet.Offer, error) {
	return s.fleet.ChangeOffer(s.ctx(), action, seen.Hardware, seen.Channel, func(is *fleet.Offer) error {
		if is.Manifest != seen.Manifest {
			return unchanged(seen, *is)
		}
		return change(seen, is)
	})
}

// offersOn are what a channel offers, to one hardware or all; at least one.
func (s *session) offersOn(channel, hardware string) (on []fleet.Offer, err error) {
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return nil, err
	}
	for _, o := range offers {
		if o.Channel == channel && (hardware == "" || o.Hardware == hardware) {
			on = append(on, o)
		}
	}
	if len(on) == 0 {
		return nil, fmt.Errorf("channel %s offers nothing%s", channel, forHardware(hardware))
	}
	return on, nil
}

// tryEach lists the boards that would move where offers became after, or were
// withdrawn where that is nil.
func (s *session) tryEach(offers, after []fleet.Offer) error {
	now, err := s.goods()
	if err != nil {
		return err
	}
	m := s.newMover()
	for i, o := range offers {
		then := now.without(o.Hardware, o.Channel)
		if after != nil {
			then = now.with(after[i])
		}
		if err := m.group(s, o.Hardware, o.Channel, now, then); err != nil {
			return err
		}
	}
	return m.end(s)
}

func (s *session) answerOffers(what string, offers []fleet.Offer) error {
	return answer(s.cli, offers, func(w io.Writer) {
		for _, o := range offers {
			reach := fmt.Sprintf("%d%%", o.Percent)
			if len(o.Plan.Waves) > 0 {
				reach = release.ReachText(o)
			}
			fmt.Fprintf(w, "%s %s for %s on %s, sequence %d, %s\n", what, o.Version, o.Hardware, o.Channel, o.Sequence, reach)
		}
	})
}
