package menuconfig

// A list is the place in a list that is longer than the screen.
type list struct{ at, top int }

// press moves in a list of n lines on a screen of h; ok is false when the key
// does not move.
func (l list) press(k key, n, h int) (list, bool) {
	switch k.name {
	case "up", "k", "ctrl+p":
		l.at--
	case "down", "j", "ctrl+n":
		l.at++
	case "pgup", "ctrl+b":
		l.at -= h
	case "pgdown", "ctrl+f":
		l.at += h
	case "home", "g":
		l.at = 0
	case "end", "G":
		l.at = n - 1
	default:
		return l, false
	}
	return l.within(n, h), true
}

// within keeps the place in a list of n lines on a screen of h.
func (l list) within(n, h int) list {
	l.at = max(min(l.at, n-1), 0)
	l.top = scrolled(l.top, l.at, n, h)
	return l
}

// window draws those of n lines that are on a screen of h.
func (l list) window(n, h int, draw func(i int) line) (lines []line) {
	l = l.within(n, h)
	for i := l.top; i < min(n, l.top+h); i++ {
		lines = append(lines, draw(i))
	}
	return lines
}
