// Package kconfig reads and writes sdkconfig files: the values of one ESP-IDF
// project's options, as idf.py, menuconfig and kconfgen leave them on disk.
//
// # The file
//
// An sdkconfig file is UTF-8 text, a line at a time:
//
//	# a remark
//	CONFIG_WIFI_SSID="lab \"5\" net"
//	CONFIG_UPDATE_PORT=8123
//	CONFIG_SLOT=0x1F0000
//	CONFIG_TRACE=y
//	# CONFIG_VERBOSE is not set
//	# default:
//	CONFIG_RETRIES=3
//
// What each line means, blanks at its right end apart:
//
//	CONFIG_NAME=VALUE            an assignment; NAME is letters, digits and _
//	# CONFIG_NAME is not set     the bool NAME is n; the text behind is ignored
//	# default:                   the next assignment is marked: its value was
//	                             inferred, nobody chose it
//	# Deprecated options for backward compatibility
//	# End of deprecated options  what lies between is a copy for old names, skipped
//	blank, any other # line      a remark
//
// Everything else is ignored by the build, which only warns. So does this
// package: such a line stays where it is and is listed by Config.Problems.
//
// A VALUE is y or n, a decimal or hexadecimal number (0x in front is usual, not
// required), or a string in double quotes, in which a backslash makes the next
// character literal; a writer puts one before " and \ and nowhere else. Behind
// the closing quote everything is ignored. $, ; and # mean nothing within the
// quotes. No escape stands for a line break, so no value can hold one.
//
// The file does not say of which type an option is; only the Kconfig tree does.
// A Value therefore keeps its text, and its Type is what the text looks like.
//
// # Which assignment counts
//
// Of several assignments to one name the last unmarked one counts. A marked
// one only records which default was in force when the file was written.
//
// # Defaults files
//
// sdkconfig.defaults and its like are read by ReadDefaults. The build is a
// little kinder to them: blanks in front of a line do not matter, and NAME= with
// nothing behind is read as NAME=n. An existing sdkconfig beats them: what it
// assigns without a mark stays, whatever a defaults file says.
//
// # Rewriting
//
// A Config keeps every line. Set and Unset touch the lines of that one option
// and no other; comments, order, line ends and lines that nobody understands
// come out of Bytes as they went in.
//
//	c, err := kconfig.Read("sdkconfig", data)
//	if err != nil { … }
//	err = c.Set("UPDATE_PORT", kconfig.Int(8124))
//	os.Stdout.Write(c.Bytes())
package kconfig
