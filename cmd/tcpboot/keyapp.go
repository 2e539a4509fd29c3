package main

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

var loaderImageFlag = &cli.StringSliceFlag{Name: "loader", Usage: "of an app key: `HARDWARE=IMAGE` is an unsigned loader, to be signed with the new key (may be repeated)"}

// A loaderError says that an app key cannot be replaced before there is a loader that
// trusts the next one.
type loaderError struct {
	key, hardware string
	boards        int
}

func (e *loaderError) Error() string {
	return fmt.Sprintf("%s: the loaders of %d active boards of hardware %s trust it alone, and there is none yet that would trust another", e.key, e.boards, e.hardware)
}

// planApp makes the new key, and signs with it the loaders that are to trust it. The
// one before goes on under another name.
func (p *keyPlan) planApp() error {
	images, err := p.loaderImages()
	if err != nil {
		return err
	}
	users, err := p.hardwareOf(p.name)
	if err != nil {
		return err
	}
	if err := p.refuseApp(users, images); err != nil {
		return err
	}
	if err := p.followLoaders(); err != nil {
		return err
	}
	// So it is before the change as well as after it, and whatever becomes of it.
	was, err := p.appDigest(p.name)
	if err != nil {
		return err
	}
	for _, h := range users {
		if _, err := p.fleet.NoteLoaders(p.ctx(), h, was); err != nil {
			return err
		}
	}
	detail := changeDetail{Reason: p.cli.String("reason")}
	if detail.Former, err = p.keepFormerApp(); err != nil {
		return err
	}
	key, err := p.makeKey(p.siteKey)
	if err != nil {
		return err
	}
	if err := p.showApp(&detail, key.Public()); err != nil {
		return err
	}
	for _, h := range slices.Sorted(maps.Keys(images)) {
		signed, err := p.loaderBy(key, h, images[h])
		if err != nil {
			return err
		}
		p.file("loaders/"+h+".bin", signed, 0o644)
		detail.Loaders = append(detail.Loaders, h)
	}
	return p.describe(detail)
}

// showApp shows the public half of the new key.
func (p *keyPlan) showApp(detail *changeDetail, public crypto.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	detail.Public = fleet.Sum(der)
	text, err := publicPEM(public)
	p.file("certs/"+p.name+".pub.pem", text, 0o644)
	return err
}

// loaderImages are the loaders of --loader by their hardware.
func (p *keyPlan) loaderImages() (map[string]string, error) {
	images := map[string]string{}
	for _, f := range p.cli.StringSlice("loader") {
		hardware, image, ok := strings.Cut(f, "=")
		if !ok || image == "" || images[hardware] != "" {
			return nil, usagef("--loader %s: want HARDWARE=IMAGE, once for each", f)
		}
		if err := p.knownHardware(hardware); err != nil {
			return nil, err
		}
		images[hardware] = image
	}
	return images, nil
}

// hardwareOf are the kinds of boards whose images an app key signs.
func (s *session) hardwareOf(name string) (all []string, err error) {
	for _, h := range slices.Sorted(maps.Keys(s.site.Settings.Hardware)) {
		hardware, err := s.hardware(h)
		if err != nil {
			return nil, err
		}
		if appKeyFor(hardware.Scheme) == name {
			all = append(all, h)
		}
	}
	return all, nil
}

// refuseApp refuses a new key that no loader would trust, for hardware of which
// boards are in use that check images.
func (p *keyPlan) refuseApp(users []string, images map[string]string) error {
	groups, err := p.fleet.Groups(p.ctx())
	if err != nil {
		return err
	}
	checking := map[string]int{}
	for _, g := range groups {
		if g.Loader.Level > 0 {
			checking[g.Hardware] += g.Boards
		}
	}
	for _, h := range users {
		if checking[h] > 0 && images[h] == "" {
			return &loaderError{p.name, h, checking[h]}
		}
	}
	for h := range images {
		if !slices.Contains(users, h) {
			return usagef("--loader %s: %s signs nothing for it", h, p.name)
		}
	}
	return nil
}

// keepFormerApp gives the key from before its other name.
func (p *keyPlan) keepFormerApp() (former string, err error) {
	former = formerAppName(p.name, len(p.formerApps(p.name))+1)
	public, err := os.ReadFile(p.site.Path("certs", p.name+".pub.pem"))
	if err != nil {
		return "", err
	}
	p.file("certs/"+former+".pub.pem", public, 0o644)
	if uri, elsewhere := p.site.Settings.Keys[p.name]; elsewhere {
		p.change.Keys[former] = uri
		return former, nil
	}
	path, err := p.keys.store.File(p.keys.uri(p.name))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	p.file("keys/"+former+".pem", text, 0o600)
	return former, nil
}
