package menuconfig

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"
)

// What terminals had when they did not tell their size.
const unsizedWidth, unsizedHeight = 80, 24

// Run shows the menu on a terminal until somebody quits. env is the environment
// of the terminal: TERM, COLORTERM, NO_COLOR and their like. What was not saved
// when ctx ends is lost.
func Run(ctx context.Context, m Model, in io.Reader, out io.Writer, env []string) error {
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(env), tea.WithoutSignalHandler(), tea.WithFilter(sized))
	_, err := p.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, tea.ErrInterrupted) {
		return context.Canceled
	}
	return err
}

// sized gives a terminal that does not know its size, as on a serial line, that
// which New draws for.
func sized(_ tea.Model, msg tea.Msg) tea.Msg {
	if size, ok := msg.(tea.WindowSizeMsg); ok && (size.Width <= 0 || size.Height <= 0) {
		return tea.WindowSizeMsg{Width: unsizedWidth, Height: unsizedHeight}
	}
	return msg
}
