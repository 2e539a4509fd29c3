package main

import "errors"

// show opens the menu.
func (conf *configuration) show() error {
	return errors.New("menuconfig: there is no terminal for a menu; --set, --check and --format do without")
}
