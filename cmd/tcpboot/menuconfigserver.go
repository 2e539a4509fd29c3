package main

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// maxRequest bounds one line of a client. A request that sets all of ESP-IDF's
// options has less than a megabyte.
const maxRequest = 16 << 20

// serve speaks the config-server protocol until the client ends its input.
func (conf *configuration) serve() error {
	if len(conf.layers) > 0 {
		return usagef("menuconfig: --server is for a project: leave out --site-defaults, --hardware and --board")
	}
	out := conf.cli.App.Writer
	server := &kconfig.Server{Settings: conf.settings, File: conf.file, Load: os.ReadFile, Save: replaceConfig}
	if _, err := out.Write(server.Greeting()); err != nil {
		return err
	}
	return eachLine(conf.cli.Context, conf.cli.App.Reader, func(line []byte) error {
		_, err := out.Write(server.Answer(line))
		return err
	})
}

// eachLine calls do for each line, until they end or ctx does: whoever waits for
// input notices no signal.
func eachLine(ctx context.Context, in io.Reader, do func([]byte) error) error {
	lines, ended := make(chan []byte), make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxRequest)
		for scanner.Scan() {
			select {
			case lines <- append([]byte(nil), scanner.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		ended <- scanner.Err()
	}()
	for {
		select {
		case line := <-lines:
			if err := do(line); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
