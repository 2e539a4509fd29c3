package delivery

import "github.com/tcpboot/tcpboot/menuconfig/kconfig"

// An Override is an option that an existing file gives another value than the
// one wanted. Both values may be secrets; it prints as the option's name alone.
type Override struct {
	kconfig.Assignment // what is wanted
	Has                kconfig.Value
}

// String prints the option's name as it stands in the file.
func (o Override) String() string { return "CONFIG_" + o.Name }

// GoString prints what String does.
func (o Override) GoString() string { return o.String() }

// Overrides returns, in the order of want, the options that an existing
// sdkconfig keeps at another value: it beats defaults files, so a build would
// not do what is wanted. Marked values do not count, because any defaults file
// beats them, and neither do values that the build ignores.
func Overrides(sdkconfig *kconfig.Config, want []kconfig.Assignment) (list []Override) {
	for _, a := range want {
		if has, ok := sdkconfig.Get(a.Name); ok && contradicts(has, a.Value) {
			list = append(list, Override{a, has})
		}
	}
	return list
}

// Merge sets every wanted option in c, an existing sdkconfig.defaults or
// sdkconfig, and leaves the rest of it alone. It returns what was otherwise
// before. After an error, which names an option that cannot be expressed, c is
// in part merged and of no more use.
func Merge(c *kconfig.Config, want []kconfig.Assignment) ([]Override, error) {
	was := Overrides(c, want)
	for _, a := range want {
		if err := c.Set(a.Name, a.Value); err != nil {
			return nil, err
		}
	}
	return was, nil
}

// contradicts reports whether an option of want's type takes has for another
// value than want.
func contradicts(has, want kconfig.Value) bool {
	switch want.Type {
	case kconfig.TypeBool:
		b, ok := has.True()
		return ok && kconfig.Bool(b) != want
	case kconfig.TypeString:
		return has.Type == kconfig.TypeString && has != want
	case kconfig.TypeInt:
		return differ(has, want, 10)
	case kconfig.TypeHex:
		return differ(has, want, 16)
	}
	return has != want
}

// differ compares two values as numbers; one that is none is ignored.
func differ(has, want kconfig.Value, base int) bool {
	a, okA := has.Number(base)
	b, okB := want.Number(base)
	return okA && okB && a.Cmp(b) != 0
}
