package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// A Role is one of the group roles of a registry on PostgreSQL.
type Role struct {
	Name    string   `json:"role"`
	May     string   `json:"may"`
	There   bool     `json:"there"`   // false: nobody has made it
	Members []string `json:"members"` // who has its rights
}

// roles are the duties, in the order of what they may.
var roles = []Role{
	{Name: "tcpboot_admin", May: "everything but the schema, which is its owner's"},
	{Name: "tcpboot_enrol", May: "enrol, rotate, change and revoke boards; sign CRLs"},
	{Name: "tcpboot_publish", May: "number, publish and withdraw releases"},
	{Name: "tcpboot_serve", May: "read devices and offers, write visits and reports"},
	{Name: "tcpboot_radius", May: "read the views radcheck and radreply, and say which credential logged in"},
}

// Grant states anew what the group roles of a registry on PostgreSQL may do, and
// makes those that do not exist, where the session may make roles. Create and
// every migration do the same; Grant is for roles that somebody else made later.
// The session must own the registry, and gets it migrated. Grant returns the
// roles as they are then.
//
// People and machines log in by roles of their own, which are members of these.
// NT hashes are shown to admin, enrol and radius alone; a Fleet opened by another
// role has devices without them. Group roles belong to the whole server: where
// two sites share one, let each of its databases be entered by its own members
// only (REVOKE CONNECT … FROM PUBLIC).
func Grant(ctx context.Context, url string) (all []Role, err error) {
	if !isServer(url) {
		return nil, errors.New("registry: roles are for PostgreSQL: a file has an owner and a mode")
	}
	db, err := server(url).open(ctx, postgresFleet, false)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", server(url), err)
	}
	defer db.Close()
	if err := migrate(ctx, db, postgresVisits, false); err != nil {
		return nil, fmt.Errorf("visits %s: %w", server(url), told(err))
	}
	err = inTx(ctx, db, nil, func(tx *sql.Tx) error {
		if err := run(ctx, tx, inPostgres.lockSchema); err != nil {
			return err
		}
		if err := run(ctx, tx, inPostgres.grants); err != nil {
			return err
		}
		all, err = readRoles(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", server(url), told(err))
	}
	return all, nil
}

// readRoles asks the server which of the roles there are, and who is a member.
func readRoles(ctx context.Context, tx *sql.Tx) ([]Role, error) {
	all := slices.Clone(roles)
	for i := range all {
		all[i].Members = []string{}
		err := tx.QueryRowContext(ctx, "SELECT to_regrole($1) IS NOT NULL", all[i].Name).Scan(&all[i].There)
		if err != nil {
			return nil, err
		}
		for member, err := range query(ctx, tx, scanText, `
			SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
			WHERE a.roleid = to_regrole($1) ORDER BY 1`, all[i].Name) {
			if err != nil {
				return nil, err
			}
			all[i].Members = append(all[i].Members, member)
		}
	}
	return all, nil
}
