package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrServer says that a registry lies on a server, which has its own ways to copy
// a database.
var ErrServer = errors.New("the database lies on a server")

// CopyTo writes the database as it stands at one moment to a new file, mode 0600,
// while others go on changing it. Of what is erased the copy holds nothing. The
// error is ErrServer when it does not lie in a file.
func (f *Fleet) CopyTo(ctx context.Context, path string) error {
	if !f.embedded {
		return ErrServer
	}
	return copyDatabase(ctx, f.db, path)
}

// CopyTo is for visits what it is for a Fleet.
func (v *Visits) CopyTo(ctx context.Context, path string) error { return copyDatabase(ctx, v.db, path) }

func copyDatabase(ctx context.Context, db *sql.DB, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite takes an empty file
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		return errors.Join(fmt.Errorf("registry: copy: %w", err), os.Remove(path))
	}
	return nil
}

// Replace puts the database at path in the place of the one at old, if there is
// one, which is kept beside it under the name that it returns, with its log: a
// log that is found beside another database is mixed into it. Both lie in one
// folder, and nobody may have either open. A run that dies meanwhile leaves no
// database at old, and can be repeated.
func Replace(path, old string) (kept string, err error) {
	for n := 1; ; n++ {
		kept = fmt.Sprintf("%s.replaced-%d", old, n)
		if _, err := os.Lstat(kept); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	found := false
	for _, suffix := range []string{"", "-wal", "-shm"} {
		switch err := os.Rename(old+suffix, kept+suffix); {
		case err == nil:
			found = found || suffix == ""
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	if !found {
		kept = ""
	}
	if err := syncFolder(old); err != nil {
		return kept, err
	}
	if err := os.Rename(path, old); err != nil { // the moment
		return kept, err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return kept, err
		}
	}
	return kept, syncFolder(old)
}

// Backups returns when the site was made, and when it was backed up last, which
// is zero when it never was.
func (f *Fleet) Backups(ctx context.Context) (made, last time.Time, err error) {
	var first, latest sql.NullString
	err = f.db.QueryRowContext(ctx, `
		SELECT (SELECT time FROM audit ORDER BY sequence LIMIT 1),
			(SELECT time FROM audit WHERE action = 'site.backup' ORDER BY sequence DESC LIMIT 1)`).Scan(&first, &latest)
	if err != nil {
		return made, last, fmt.Errorf("registry: %w", err)
	}
	return made, last, errors.Join(parseOptionalTime(&made, first), parseOptionalTime(&last, latest))
}
