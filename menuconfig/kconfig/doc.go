// Package kconfig is the Kconfig language of ESP-IDF: it reads a tree of Kconfig
// files, evaluates it under what somebody chose, and reads and writes the files
// of a project's configuration, to the byte as esp-idf-kconfig 3.12 does with
// its parser 1. It needs neither Python nor CMake, and opens nothing by itself.
//
// Three ideas, which meet only as data:
//
//	Config     an sdkconfig file as it stands, for reading and rewriting
//	Tree       the options that there are, with all that is said about them
//	Settings   what was chosen in a Tree, and every value that follows
//
// # A tree
//
//	mainmenu "Loader"
//
//	config NET
//	    bool "Use the network"
//	    default y
//
//	menu "Network"
//	    depends on NET
//	    config PORT
//	        int "Port of the server"
//	        range 1 65535
//	        default 8123
//	        help
//	            Where the server listens.
//	endmenu
//
// A file is UTF-8 text, a line at a time; a \ at the end joins it with the next
// one, and # begins a remark. A line opens or ends a block, or says something
// about the entry above it:
//
//	config NAME, menuconfig NAME    an option; menuconfig shows its children as a menu
//	menu "T" … endmenu              a menu
//	choice [NAME] … endchoice       of its bools one is y
//	comment "T"                     a line to be read
//	if E … endif                    a condition for all entries inside
//	source, rsource, osource, orsource "PATH"
//	                                another file; r: relative to this one, o: if there is any
//	mainmenu "T"                    the title
//	NAME = TEXT, := and +=          a variable of the preprocessor
//
//	bool, int, hex, string, float ["PROMPT" [if E]]
//	prompt "PROMPT" [if E]          without a prompt nobody sees an option
//	default V [if E]                the first that holds; for a bool V may be an expression
//	depends on E                    several are all to hold
//	range LOW HIGH [if E]           of a number; the first that holds
//	select NAME [if E]              of a bool: NAME is y, whatever it depends on
//	imply NAME [if E]               NAME is y unless somebody chose n
//	set NAME=V [if E]               NAME is V; set default NAME=V: by default
//	visible if E                    of a menu: hides what is in it, and keeps its values
//	help                            the indented lines below it
//	warning "T"                     to be confirmed before the first change
//	option env="NAME"               the default is a variable of the environment
//
// A PATH may be a pattern of * ? and []; its matches are taken in byte order.
// An expression E is made of symbols, y, n, "constants", comparisons (= != < <=
// > >=) of two of those, !, && and ||, which bind in that order, and
// parentheses. In it an option that is no bool is n; a name that nobody defines
// is n too, and in comparisons its own text. Strings are compared as text,
// everything else as numbers if both sides are.
//
// $(NAME) is a variable of the preprocessor, or else of the environment, or else
// nothing; $(NAME,a,b) hands it arguments. $NAME and ${NAME} within quotes are
// the environment's, and stay as they are when it has none. $(filename),
// $(lineno), $(info), $(warning-if) and $(error-if) are there; $(shell) is
// refused, and $UNAME_RELEASE is a variable like any other: reading a tree asks
// the machine nothing.
//
// Conditions flow down: what a menu, an if or a choice depends on, everything
// inside depends on. Entries that follow an option and depend on it become its
// children. An option may be defined in several places; what is said of it there
// adds up. Options that depend on one another in a circle are an error.
//
// # Values
//
// An option is visible when one of its prompts is. A chosen value counts only
// then:
//
//	bool            selected; chosen; implied or the first default; n
//	number          set; chosen and within the range; set default; default; and then
//	                what is outside the range is moved to its nearest bound
//	string          set; chosen; set default; default
//	choice          the chosen member if visible; the first default that is; the first
//	                member that is
//
// Numbers have no greatest one and keep the spelling in which they were written,
// unless they are moved. Floats are written in their shortest form.
//
// An option is written to sdkconfig when it is visible or one of the rules above
// gave it a value other than n.
//
// # The sdkconfig file
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
// Of several assignments to one name the last unmarked one counts. A marked
// one only records which default was in force when the file was written.
//
// sdkconfig.defaults and its like are read by ReadDefaults. The build is a
// little kinder to them: blanks in front of a line do not matter, and NAME= with
// nothing behind is read as NAME=n. An existing sdkconfig beats them: what it
// assigns without a mark stays, whatever a defaults file says.
//
// A Config keeps every line. Set and Unset touch the lines of that one option
// and no other; comments, order, line ends and lines that nobody understands
// come out of Bytes as they went in.
//
// # Files onto a tree
//
// Settings.Load puts files on top of one another: defaults files in their order,
// and then the existing sdkconfig. Where a marked value is no longer the tree's
// default, a Policy decides which of the two holds. An sdkconfig.rename file has
// lines CONFIG_OLD CONFIG_NEW, or CONFIG_OLD !CONFIG_NEW when the meaning was
// turned around: old names are understood, and written beside the new ones.
//
// Nothing is dropped in silence: Load returns the lines that no option can take,
// Check the chosen values that have no effect and why, Problems what is odd. Why
// says of each value what gave it. A Report tells all that in a file for programs.
//
// # Where we differ from the reference tool
//
// We write where it stops: a hex or an int that is no number (CMake and JSON have
// it empty, and null), the range of a menuconfig, or of a bound that is no number
// (0). A value in a minimal file keeps characters at which Python breaks lines,
// and an empty menu there gets no label. Infinity is null in JSON. Marked choices
// that influence each other are settled in the order of the file. $(shell) is
// refused, and so is what exceeds the bounds in source.go. The messages of a report
// are our own.
package kconfig
