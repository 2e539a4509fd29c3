// Package templates holds the files that tcpboot lays down or renders, embedded
// in the binary: data, no logic. Each room is an embed.FS whose paths start with
// the room's own name ("x509/board.tpl"). What is embedded is listed by name or
// by a pattern that names one kind of file, so that nothing stray gets in.
package templates
