package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/mcuboot"
	"github.com/tcpboot/tcpboot/release/remote"
)

// hints says what a person can do about err. A hint is one sentence that names
// a command or a place; it never repeats the error.
func hints(err error) (all []string) {
	add := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	if e := new(registry.RevokedError); errors.As(err, &e) {
		add("a revoked board stays revoked; its successor is enrolled under its own MAC")
	}
	if e := new(enroll.DifferentError); errors.As(err, &e) {
		add("to change it: tcpboot device set %s --%s …", e.MAC, flagOf(e.What))
	}
	if e := new(unknownHardwareError); errors.As(err, &e) {
		add("add it to tcpboot.yaml; `tcpboot enroll --chip C` does so too")
	}
	if e := new(noDeliveryError); errors.As(err, &e) {
		add("use what was delivered elsewhere, or make it new: `tcpboot rotate MAC`")
	}
	if e := new(staleDeliveryError); errors.As(err, &e) {
		add("`tcpboot rotate %s` makes a new one, unless the one in force was delivered elsewhere with --out, or the board made it and still has it", e.MAC)
	}
	if e := new(sealedError); errors.As(err, &e) {
		add("whoever holds the recipient's key opens it; `tcpboot rotate %s` makes a delivery that can be read here", e.MAC)
	}
	if e := new(foreignError); errors.As(err, &e) {
		add("name an empty folder with --out, or remove what is there")
	}
	if e := new(trackedError); errors.As(err, &e) {
		add("untrack it (git rm --cached) and add it to .gitignore")
	}
	if e := new(changedSourceError); errors.As(err, &e) {
		add("lay our loader down in a new folder with --out, and move over what is yours")
	}
	if e := new(openKeysError); errors.As(err, &e) {
		add("`tcpboot menuconfig --hardware %s --set SECURE_FLASH_ENC_ENABLED=y` (with IDF_PATH) has it built in, and each board that starts it burns eFuses, for good", e.hardware)
		add("--nvs-hmac-key FILE does without, on a chip that derives keys")
	}
	if e := new(kconfig.Error); errors.As(err, &e) && e.Kind == kconfig.Unknown {
		add("ESP-IDF's options are known where IDF_PATH says where it lies; --allow-unknown lets them pass")
	}
	if e := new(registry.BrokenError); errors.As(err, &e) {
		add("somebody changed the database behind tcpboot's back; compare with a backup")
	}
	if isOlder(err) {
		add("`tcpboot restore --into DIR` makes what there is the site's again, and nothing that died since comes back to life")
	}
	if e := new(age.NoIdentityMatchError); errors.As(err, &e) {
		add("check --passphrase-file (TCPBOOT_PASSPHRASE_FILE), or give --identity FILE, whichever the backup was made for")
	}
	if e := new(blindError); errors.As(err, &e) {
		add("give the newest list that was kept anywhere: --crl FILE; its copies are wherever certs/boards.crl was published")
		add("--as-of-backup goes on without: what was stolen since the backup is admitted again")
	}
	if e := new(remnantsError); errors.As(err, &e) {
		add("restore %s from a backup, or make the site in another folder", site.SettingsFile)
	}
	if e := new(awayError); errors.As(err, &e) {
		add("`tcpboot key recover %s` writes it again, out of the recovery copy", e.name)
		add("bring it back, or name its place for this once: --with %s=file:///PATH (key rotate, key renew)", e.name)
		if k, _ := siteKeyNamed(e.name); k.role == custody.App || k.role == custody.Release {
			add("`tcpboot release cut --to-sign DIR` asks for signatures where the key is")
		}
	}
	if e := new(waitsError); errors.As(err, &e) {
		add("`tcpboot release attach DIR` brings them; `tcpboot release pending %s --drop` gives it up", e.version)
	}
	if e := new(presentError); errors.As(err, &e) {
		add("`tcpboot key rotate --help` says which keys can be given a successor")
	}
	if e := new(issuerError); errors.As(err, &e) {
		add("`tcpboot key renew %s` gives it a new certificate for the key it has, which no board notices", e.name)
	}
	if errors.As(err, new(*unsafeError)) {
		add("take another scheme in tcpboot.yaml (signature:), or go on with --force, which the audit trail names")
	}
	if errors.As(err, new(*otherKeyError)) {
		add("a release key that was replaced has signed what is older: give it too (`tcpboot key export release` writes all that count), or go by the site documents: --root root.pub with sitedocs/*.cose")
	}
	if errors.As(err, new(*uncountedError)) {
		add("what was cut here before its release key was retired or revoked is to be cut again, as another version; whatever else is not of this site")
	}
	if e := new(loaderError); errors.As(err, &e) {
		add("--loader %s=IMAGE gives an unsigned one, which is signed with the new key", e.hardware)
	}
	if e := new(statedError); errors.As(err, &e) {
		add("`tcpboot release restate` states it by the present key")
	}
	if errors.As(err, new(*rootsError)) || errors.As(err, new(*unsignedError)) {
		add("--to-sign FILE writes the site document for the holders of the other roots, and waits for them")
	}
	if e := new(noCopyError); errors.As(err, &e) {
		add("--copy FILE says where it is; --no-recovery leaves the key out of it, until `tcpboot key copy`")
	}
	if e := new(sessionsError); errors.As(err, &e) {
		add("`tcpboot radius disconnect %s` asks again", e.cuts[0].MAC)
	}
	if e := new(site.OpenError); errors.As(err, &e) {
		add("chmod go-w %s", e.Path)
	}
	if e := new(fs.PathError); errors.As(err, &e) && errors.Is(e, fs.ErrPermission) {
		add("a site is its owner's: work as the user who made it")
	}
	if errors.As(err, new(*unreachedError)) {
		add("`tcpboot serve` answers boards; --server HOST:PORT asks another server than that of tcpboot.yaml")
	}
	if e := new(release.MisfitError); errors.As(err, &e) {
		add("%s", misfitHints[e.What])
	}
	for _, h := range sentinelHints {
		if errors.Is(err, h.err) {
			add("%s", h.hint)
		}
	}
	return all
}

var misfitHints = map[string]string{
	"chip":     "name the hardware that it was built for: --hardware H; `idf.py set-target` builds for another chip",
	"revision": "build it for the chips that there are (ESP32 revisions in menuconfig), or correct min_revision in tcpboot.yaml",
	"project":  "name the hardware that it was built for: --hardware H, or correct project in tcpboot.yaml",
	"slot":     "build a smaller one (CONFIG_COMPILER_OPTIMIZATION_SIZE), or correct slot in tcpboot.yaml, if the boards' partition is larger",
}

var sentinelHints = []struct {
	err  error
	hint string
}{
	{fleet.ErrUnknown, "`tcpboot device list` shows the boards; `tcpboot enroll MAC` adds one"},
	{site.ErrNoSite, "go into a site's folder, name it with --site DIR, or make one: tcpboot init"},
	{site.ErrExists, "make another site in another folder: --site DIR"},
	{custody.ErrPassphrase, "check --passphrase-file (TCPBOOT_PASSPHRASE_FILE)"},
	{errNoPassphrase, "give --passphrase-file FILE, or set TCPBOOT_PASSPHRASE_FILE"},
	{radius.ErrStillAdmitted, "restart the RADIUS server now; `tcpboot radius reload` proves that it goes by the new list"},
	{errNoMirror, "`tcpboot radius export --format sql` puts it back, and brings the file up to date"},
	{errNoDisconnect, "name them in tcpboot.yaml: radius.clients, disconnect: [\"192.0.2.7:3799\"]"},
	{registry.ErrNewer, "use the newer tcpboot; this one would not understand what it wrote"},
	{registry.ErrOlder, "any verb that changes something brings it up to date; on PostgreSQL its owner runs `tcpboot database grant`"},
	{registry.ErrUnreachable, "start the database server, or correct the URL; nothing was changed"},
	{registry.ErrLogin, "name another role in the URL or by PGUSER; its password lies in the file that PGPASSFILE names"},
	{registry.ErrDenied, "let a member of the right role do it; `tcpboot database grant`, by the registry's owner, shows them and brings an older schema up to date"},
	{registry.ErrNoDatabase, "make it (createdb NAME), or correct the URL"},
	{registry.ErrNoRegistry, "correct the URL, or restore the registry from a backup"},
	{registry.ErrTaken, "every site has a database of its own: make one (createdb NAME), and name it with --database"},
	{registry.ErrChanged, "look at what is there now (`tcpboot release list`), and run it again if you still want it"},
	{registry.ErrClock, "set the clock; nothing was changed"},
	{bundle.ErrVersionTaken, "cut under another --version, or publish the one there is"},
	{errNoRoom, "--pad-header puts the header before the program"},
	{mcuboot.ErrEncrypted, "give the key that the bootloader opens it with: --decrypt-key FILE"},
	{errNoResponder, "`tcpboot ocsp renew` makes its key and certificate; it needs the boards CA's key"},
	{remote.ErrDenied, "give it a name and a password: `docker login` without a credential helper writes them where tcpboot reads them"},
	{errDowngrade, "cut what it holds anew, which gives it the next counter; or, if boards of the old protocol alone shall get it: --allow-downgrade --reason TEXT"},
	{errOldLoaders, "update the loaders first, or cut it without --min-loader, anew where they trust another app key; `tcpboot device set MAC --level 2` says that a board has ours"},
	{errHeldBack, "`tcpboot release resume` lets it go on where it was"},
	{errWaiting, "`tcpboot key attach FILE` brings them; `tcpboot key pending` shows it, and gives it up with --drop"},
	{errPresentKey, "replace it first: `tcpboot key rotate release --no-overlap` lets it count no more"},
	{errLastWave, "`tcpboot release progress VERSION` shows it; where another hardware is meant: --hardware H"},
	{errFilled, "name a new folder with --out, or remove what is there"},
	{errNoJob, "name the folder that `tcpboot release cut --to-sign DIR` has made; `tcpboot release pending` lists the cuts that wait"},
	{errNoCutWaits, "`tcpboot release pending` lists the cuts that wait"},
	{release.OtherKey, "a site takes images by the keys in its certs/app-*.pub.pem: where another machine of the site has rotated one, bring these files; otherwise it comes from another site"},
	{errNoRelease, "`tcpboot release list` shows the releases"},
}

// flagOf is the flag that sets an attribute.
func flagOf(what string) string { return strings.ToLower(what) }
