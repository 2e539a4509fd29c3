package menuconfig

import (
	"context"
	"errors"
	"io"

	tea "charm.land/bubbletea/v2"
)

// Run shows the menu on a terminal until somebody quits. env is the environment
// of the terminal: TERM, COLORTERM, NO_COLOR and their like. What was not saved
// when ctx ends is lost.
func Run(ctx context.Context, m Model, in io.Reader, out io.Writer, env []string) error {
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(env), tea.WithoutSignalHandler())
	_, err := p.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, tea.ErrInterrupted) {
		return context.Canceled
	}
	return err
}
