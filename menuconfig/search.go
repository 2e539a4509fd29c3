package menuconfig

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A search is a field and what it finds: entries of which each word is somewhere
// in the name, with or without CONFIG_, or in the prompt. A word may be a regular
// expression.
type search struct {
	list
	field field
	index []entry
	hits  []entry
}

// An entry is a node and the text in which words are looked for.
type entry struct {
	node *kconfig.Node
	text string // "CONFIG_NAME prompt", in lower case
}

func newSearch(m Model) search {
	s := search{}
	m.now.Tree().Walk(func(n *kconfig.Node) {
		if n.HasPrompt || n.Kind == kconfig.KindSymbol {
			s.index = append(s.index, entry{n, strings.ToLower("CONFIG_" + nameOf(n) + " " + n.Prompt)})
		}
	})
	return s.find(m)
}

// find looks for the words. Exact names come first, then those that begin so;
// what is not to be seen in the menu comes behind what is.
func (s search) find(m Model) search {
	words := strings.Fields(s.field.String())
	var tests []func(string) bool
	for _, w := range words {
		tests = append(tests, matcher(w))
	}
	s.hits, s.list = nil, list{}
	rank := map[*kconfig.Node]int{}
	for _, e := range s.index {
		if all(tests, e.text) {
			s.hits = append(s.hits, e)
			rank[e.node] = m.rank(e, words)
		}
	}
	slices.SortStableFunc(s.hits, func(a, b entry) int { return cmp.Compare(rank[a.node], rank[b.node]) })
	return s
}

func all(tests []func(string) bool, text string) bool {
	for _, t := range tests {
		if !t(text) {
			return false
		}
	}
	return true
}

// matcher looks for a word in either case, as a regular expression if it is one:
// of that \D is not \d.
func matcher(word string) func(string) bool {
	if regexp.QuoteMeta(word) != word {
		if re, err := regexp.Compile("(?i)" + word); err == nil {
			return re.MatchString
		}
	}
	word = strings.ToLower(word)
	return func(text string) bool { return strings.Contains(text, word) }
}

func (m Model) rank(e entry, words []string) int {
	rank := 4
	if len(words) == 1 {
		name, word := strings.ToLower(nameOf(e.node)), strings.TrimPrefix(strings.ToLower(words[0]), "config_")
		switch {
		case name == word:
			return 0
		case strings.HasPrefix(name, word):
			rank = 2
		}
	}
	if !m.now.Shown(e.node) {
		rank++
	}
	return rank
}

func (s search) below(Model) int { return 0 }

func (s search) hints() []hint {
	return []hint{{"enter", "go there"}, {"ctrl+f", "info"}, {"down", "next"}, {"esc", "close"}}
}

func (s search) draw(m Model, h int) []line {
	g := m.glyphs()
	field := s.field.draw(max(m.width-20, 1))
	field.spans = append([]span{{text: " / ", look: lookKey}}, field.spans...)
	field = field.split(text(lookNote, fmt.Sprintf("%d of %d", len(s.hits), len(s.index))), m.width-1, g)
	if len(s.hits) == 0 {
		return []line{field, text(lookNote, "   Nothing has all these words.")}
	}
	return append([]line{field}, s.window(len(s.hits), h-1, func(i int) line {
		l := s.hit(m, s.hits[i].node)
		l.spans[0].text = pick(i == s.at, " "+g.cursor+" ", "   ")
		l.cursor, l.does = i == s.at, s.click(i)
		return l.split(text(lookNote, m.whereabouts(s.hits[i].node)), m.width-1, g)
	})...)
}

// hit draws one entry that was found.
func (s search) hit(m Model, n *kconfig.Node) line {
	hidden := !m.now.Shown(n)
	l := line{spans: []span{{}}}
	m.mark(&l, n)
	if n.HasPrompt {
		l.spans = append(l.spans, s.lit(clean(n.Prompt), pick(hidden, lookHidden, lookText))...)
		l.add(lookText, "  ")
	}
	l.spans = append(l.spans, s.lit(nameOf(n), lookOff)...)
	if hidden {
		l.add(lookAlert, "  "+m.hiding(n))
	}
	for i := range l.spans {
		l.spans[i].does = nil
	}
	return l
}

// lit shows where the words are in text.
func (s search) lit(text string, l look) (spans []span) {
	lower := strings.ToLower(text)
	if len(lower) != len(text) {
		return []span{{text: text, look: l}}
	}
	in := make([]bool, len(text))
	for _, w := range strings.Fields(strings.ToLower(s.field.String())) {
		w = strings.TrimPrefix(w, "config_")
		if at := strings.Index(lower, w); at >= 0 {
			for i := range w {
				in[at+i] = true
			}
		}
	}
	for from, to := 0, 0; from < len(text); from = to {
		for to = from; to < len(text) && in[to] == in[from]; to++ {
		}
		look := l
		if in[from] {
			look = lookMatch
		}
		spans = append(spans, span{text: text[from:to], look: look})
	}
	return spans
}

// whereabouts is the menu that an entry is in.
func (m Model) whereabouts(n *kconfig.Node) string {
	var names []string
	for _, menu := range trail(menuOf(n))[1:] {
		names = append(names, titleOf(menu))
	}
	return strings.Join(names, m.glyphs().path)
}

func (s search) subject(Model) *kconfig.Node {
	if len(s.hits) == 0 {
		return nil
	}
	return s.hits[s.at].node
}

func (s search) click(i int) action {
	return func(m Model) (Model, tea.Cmd) { return m.jump(s.hits[i].node), nil }
}

func (s search) press(m Model, k key) (Model, tea.Cmd) {
	switch k.name {
	case "esc", "ctrl+c":
		return m.close(), nil
	case "enter":
		if len(s.hits) > 0 {
			return m.jump(s.hits[s.at].node), nil
		}
		return m, nil
	case "ctrl+f":
		if len(s.hits) > 0 {
			return m.open(info{node: s.hits[s.at].node, link: -1}), nil
		}
		return m, nil
	case "up", "down", "pgup", "pgdown", "ctrl+p", "ctrl+n":
		s.list, _ = s.list.press(k, len(s.hits), m.bodyHeight()-1)
		return m.replace(s), nil
	}
	if f, ok := s.field.press(k); ok {
		s.field = f
		return m.replace(s.find(m)), nil
	}
	return m, nil
}
