package site

// Chgrp gives the file to a group, by number, before it takes its place. Only
// root and members of the group may.
func (f *File) Chgrp(gid int) error { return f.f.Chown(-1, gid) }
