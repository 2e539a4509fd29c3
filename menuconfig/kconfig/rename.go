package kconfig

import "strings"

// renames are the old names of symbols, from sdkconfig.rename files.
type renames struct {
	lines []rename
	last  map[string]int      // old name → index of its last line, which counts
	old   map[string][]rename // by new name, in file order
}

// A rename is one line: an old name, the new one, and whether they mean the
// opposite of each other.
type rename struct {
	old, now string
	inverted bool
}

// readRenames reads all sdkconfig.rename files of a source.
func readRenames(o *opener) (*renames, error) {
	r := &renames{last: map[string]int{}, old: map[string][]rename{}}
	for _, name := range o.OldNames {
		text, err := o.read(name)
		if err != nil {
			return nil, err
		}
		for number := 1; text != ""; number++ {
			var line string
			line, _, text = splitLine(text)
			if why := r.add(line); why != "" {
				return nil, &Error{File: name, Line: number, Column: 1, Why: why, Text: line, source: true}
			}
		}
	}
	for i, l := range r.lines {
		if r.last[l.old] == i {
			r.old[l.now] = append(r.old[l.now], l)
		}
	}
	return r, nil
}

// add takes a line: an old name and the new one, with ! before it when the
// meaning is inverted.
func (r *renames) add(line string) (why string) {
	if isBlank(line) || line[0] == '#' {
		return ""
	}
	words := append(strings.Fields(line), "", "")
	old, isOld := strings.CutPrefix(words[0], prefix)
	now, inverted := strings.CutPrefix(words[1], "!")
	now, isNew := strings.CutPrefix(now, prefix)
	switch {
	case !isOld || !isNew || !nameText.MatchString(old) || !nameText.MatchString(now) || !strings.HasPrefix(line, prefix):
		return "neither CONFIG_OLD CONFIG_NEW, nor CONFIG_OLD !CONFIG_NEW, nor a remark"
	case old == now:
		return "the old name is the new one"
	}
	r.last[old] = len(r.lines)
	r.lines = append(r.lines, rename{old, now, inverted})
	return ""
}

// find returns what an old name stands for.
func (r *renames) find(old string) (l rename, ok bool) {
	i, ok := r.last[old]
	if !ok {
		return rename{}, false
	}
	return r.lines[i], true
}
