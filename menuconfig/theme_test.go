package menuconfig

import (
	"image/color"
	"math"
	"strconv"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// The theme is the one that was asked for, or else one for the terminal.
func TestThemeForTheTerminal(t *testing.T) {
	tests := []struct {
		name, style string
		msgs        []tea.Msg
		want        string
	}{
		{"nothing is known", "", nil, "either"},
		{"dark", "", []tea.Msg{tea.BackgroundColorMsg{Color: color.Black}}, "dark"},
		{"light", "", []tea.Msg{tea.BackgroundColorMsg{Color: color.White}}, "light"},
		{"sixteen colours", "", []tea.Msg{tea.ColorProfileMsg{Profile: colorprofile.ANSI}, tea.BackgroundColorMsg{Color: color.Black}}, "monochrome"},
		{"no colours", "", []tea.Msg{tea.ColorProfileMsg{Profile: colorprofile.ASCII}}, "monochrome"},
		{"many", "", []tea.Msg{tea.ColorProfileMsg{Profile: colorprofile.TrueColor}, tea.BackgroundColorMsg{Color: color.Black}}, "dark"},
		{"asked for", "aquatic", []tea.Msg{tea.BackgroundColorMsg{Color: color.White}}, "aquatic"},
		{"old words", "default selection=fg:white,bg:red", []tea.Msg{tea.BackgroundColorMsg{Color: color.White}}, "light"},
		{"old words with a theme", "selection=fg:red monochrome", nil, "monochrome"},
	}
	tree := fixture(t)
	for _, tt := range tests {
		d := sit(t, tree, "")
		Style(tt.style)(&d.model)
		for _, msg := range tt.msgs {
			d.tell(msg)
		}
		if got := d.model.terminal.theme(d.model.style).name; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// What a theme writes can be read on the backgrounds that it is for, and in the row
// of the cursor. Rules are to be seen, not to be read.
func TestThemesCanBeRead(t *testing.T) {
	const black, white = 16, 231
	tests := []struct {
		theme      string
		foreground int // the terminal's own
		background int
		least      float64
	}{
		{"dark", white, black, 4.5},
		{"dark", white, 234, 4.5},
		{"light", black, white, 4.5},
		{"light", black, 255, 4},
		{"aquatic", white, black, 3},
		{"aquatic", black, white, 3},
		{"either", white, black, 3.5},
		{"either", black, white, 3.5},
	}
	for _, tt := range tests {
		theme := themeNamed(tt.theme)
		for i, sgr := range theme.sgr {
			if look(i) == lookRule {
				continue
			}
			if fg, bg := colours(sgr, tt.foreground, tt.background); contrast(fg, bg) < tt.least {
				t.Errorf("%s: look %d has contrast %.1f on %d", tt.theme, i, contrast(fg, bg), bg)
			}
			if theme.alone || sgr != "" && strings.Contains(sgr, "48;") {
				continue
			}
			if fg, bg := colours(sgr+";"+theme.cursor, tt.foreground, tt.background); contrast(fg, bg) < 3.5 {
				t.Errorf("%s: look %d has contrast %.1f in the row of the cursor", tt.theme, i, contrast(fg, bg))
			}
		}
		if fg, bg := colours(theme.cursor, tt.foreground, tt.background); contrast(fg, bg) < 4 {
			t.Errorf("%s: the cursor has contrast %.1f", tt.theme, contrast(fg, bg))
		}
	}
}

// colours are those of SGR parameters, or else the terminal's.
func colours(sgr string, fg, bg int) (int, int) {
	p := strings.Split(sgr, ";")
	for i := 0; i+2 < len(p); i++ {
		if n, err := strconv.Atoi(p[i+2]); err == nil && p[i+1] == "5" {
			switch p[i] {
			case "38":
				fg = n
			case "48":
				bg = n
			}
		}
	}
	return fg, bg
}

// contrast is what the Web's accessibility guidelines call so.
func contrast(a, b int) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(index int) float64 {
	r, g, b, _ := ansi.IndexedColor(index).RGBA()
	linear := func(c uint32) float64 {
		f := float64(c) / 0xffff
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}
