// Package menuconfig is the screen on which people choose the options of a
// Kconfig tree: a key in, a Model out, lines drawn from it.
//
//	Loader of a board                                     sdkconfig · 2 changes
//	(Top) › Network
//	────────────────────────────────────────────────────────────────────────────
//	   [*] Use the network                                              default
//	     (lab) Name of the Wi-Fi network                                   site
//	›•   (9000) Port of the server                   1 to 65535 · chosen here
//	   -*- Hash what is booted                               selected by SECURE
//	       How a board logs in (EAP-TLS, with a certificate)  --->      default
//	────────────────────────────────────────────────────────────────────────────
//	NET_PORT  int · 1 to 65535 · chosen here
//	F1 keys  / search  ? info  s save  q quit  u undo  v changes  a all
//
// From above: title, file and how much is not as in the file; the way to the
// present menu; its rows; what is known of the row under the cursor, or the last
// thing done; keys. A small terminal has to do without some of it.
//
// # Rows
//
// › is the cursor and • marks what is not as in the file, or holds such a thing.
// Then comes the value, the prompt, and at the right what is known of it:
//
//	[*] [ ]       a bool, y or n
//	(X) ( )       a member of a choice
//	-*- - -       a bool that cannot be changed here: what holds or hides it is said
//	(8123)        a number or a string
//	--->  ----    opens as a menu; with nothing in it
//	*** T ***     a comment
//	<NAME>        an option without a prompt, to be seen only when all are shown
//
//	1 to 65535    the range
//	default       nobody chose it, or else where it was chosen: a file, a layer, here
//	selected by A, set by A, needs A, chosen 99999: outside the range …
//	              why it is what it is; w goes to A
//
// # Keys
//
// They are those of ESP-IDF's own menu, and more: see commands. Arrows and h j k l
// move; Enter opens and changes; Space, y and n change; / searches; ? tells all
// about a row; u undoes; v lists what is changed; s saves; q quits, after a
// question when something is not saved. F1 lists all of them, and Enter there does
// what the row says. Everything that is drawn as a key, a row, a button or a step of
// the way can be clicked.
//
// # What it is made of
//
// A Model is a value. Update returns another one and changes nothing; the settings
// in a Model never change either, because each change is made to a copy. So undoing
// is to take the Model's settings of before, and a screen can be a golden file.
//
// What lies on the menu is a screen: a dialog below it, or a page in its place. They
// are stacked, the topmost has the keys, and what is drawn says itself what a click
// on it does.
//
// The package opens, reads and writes nothing. A Session hands in what there is and
// takes what is to be kept; Run needs a terminal, of which it is handed both ends.
//
// Text from files goes through clean before it is drawn: a Kconfig file or a value
// could hold what a terminal obeys.
package menuconfig
