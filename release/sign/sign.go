// Package sign holds the keys that a release is made with. There are four, and
// each does one work:
//
//	Root     signs site documents: it says which release keys boards trust
//	Release  signs manifests: it says which image a board may install
//	App      signs images: its signature is the one the boot loader checks
//	MCU      signs images for a chip behind the board: the one its MCUboot checks
//
// They are different types, so that a program in which a release key signs a
// site document, or an image key a manifest, does not compile. None of them
// shows its private half; it stays wherever its crypto.Signer has it, in memory
// or in a key store.
//
// Root and Release are P-256 keys and sign as ES256. A key held in memory signs
// deterministically (RFC 6979): the same statement comes out as the same bytes.
// A Release key is also a sigstore signer (Release.Message), so that the same key
// signs a bundle that stock cosign checks. An App key is P-256, P-384 or RSA-3072
// as the chip wants it.
package sign

import (
	"crypto"
	"errors"
	"fmt"
	"io"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/cose"
)

// A Root signs site documents.
type Root struct{ key es256 }

// A Release signs manifests.
type Release struct{ key es256 }

// An App signs images; package espimage knows how.
type App struct{ crypto.Signer }

// An MCU signs images of chips behind a board; package mcuboot knows how, and with
// which keys. The zero MCU signs none.
type MCU struct{ crypto.Signer }

// NewRoot makes a Root of a P-256 key.
func NewRoot(key crypto.Signer) (Root, error) {
	k, err := newES256(key)
	return Root{k}, wrap(custody.ReleaseRoot, err)
}

// NewRelease makes a Release of a P-256 key.
func NewRelease(key crypto.Signer) (Release, error) {
	k, err := newES256(key)
	return Release{k}, wrap(custody.Release, err)
}

// NewApp makes an App of a P-256, P-384 or RSA-3072 key. Whether the chip takes
// such a key shows when it signs.
func NewApp(key crypto.Signer) (App, error) {
	_, err := App{key}.Kind()
	return App{key}, wrap(custody.App, err)
}

// Kind says what kind of key k is. Package espimage calls its schemes by the same
// words.
func (k App) Kind() (custody.Kind, error) {
	if k.Signer == nil {
		return "", errNoKey
	}
	kind, err := custody.KindOf(k.Public())
	if kind == custody.RSA2048 {
		return "", errors.New("RSA with 2048 bits: no chip checks its signatures")
	}
	return kind, err
}

// Sign signs as crypto.Signer has it, except that an ECDSA key in memory needs no
// randomness and takes none: the same image comes out as the same bytes.
func (k App) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.Signer == nil {
		return nil, errNoKey
	}
	return k.Signer.Sign(entropy(k.Signer, random), digest, opts)
}

// SignSite returns r ‖ s over the SHA-256 of message, the statement of a site
// document. Only package sitedoc has such a message.
func (k Root) SignSite(message []byte) ([]byte, error) { return k.key.sign(message) }

// SignManifest returns r ‖ s over the SHA-256 of message, the statement of a
// manifest. Only package release has such a message.
func (k Release) SignManifest(message []byte) ([]byte, error) { return k.key.sign(message) }

// Message returns k as sigstore knows signers: it makes DER signatures over the
// SHA-256 of a message.
func (k Release) Message() signature.Signer { return k.key }

func wrap(role custody.Role, err error) error {
	if err != nil {
		return fmt.Errorf("%s key: %w", role, err)
	}
	return nil
}

// Key returns the public half, as documents name it.
func (k Root) Key() cose.Key { return k.key.public }

// Key returns the public half, as documents name it.
func (k Release) Key() cose.Key { return k.key.public }
