package templates

import "embed"

// Loader holds our loader for boards, under "loader/": an ESP-IDF project in C,
// laid down as it is. What proves it on a desk, loader/host_test, stays here.
//
//go:embed loader/README.md loader/CMakeLists.txt loader/partitions.csv
//go:embed loader/sdkconfig.defaults loader/sdkconfig.defaults.esp32 loader/sdkconfig.defaults.esp32c3
//go:embed loader/main/CMakeLists.txt loader/main/Kconfig.projbuild
//go:embed loader/main/*.c loader/main/*.h
//go:embed loader/components/tcpboot/CMakeLists.txt
//go:embed loader/components/tcpboot/include/*.h
//go:embed loader/components/tcpboot/src/*.c loader/components/tcpboot/src/*.h
//go:embed loader/components/tcpboot_chip/CMakeLists.txt loader/components/tcpboot_chip/*.c
//go:embed loader/components/tcpboot_chip/include/*.h
//go:embed loader/components/tcpboot_app/CMakeLists.txt loader/components/tcpboot_app/Kconfig
//go:embed loader/components/tcpboot_app/*.c
//go:embed loader/components/tcpboot_app/include/*.h
var Loader embed.FS
