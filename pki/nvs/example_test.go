package nvs_test

import (
	"fmt"

	"github.com/tcpboot/tcpboot/pki/nvs"
)

func Example() {
	image, err := nvs.Build(0x3000, []nvs.Entry{
		{Namespace: "loader", Key: "port", Value: nvs.U16(8123)},
		{Namespace: "loader", Key: "serial", Value: nvs.String("D-000042")},
	})
	if err != nil {
		panic(err)
	}
	for at := 0x40; at < 0xc0; at += 16 {
		fmt.Printf("%04x  % x\n", at, image[at:at+16])
	}
	// Output:
	// 0040  00 01 01 ff 5e be 7f fa 6c 6f 61 64 65 72 00 00
	// 0050  00 00 00 00 00 00 00 00 01 ff ff ff ff ff ff ff
	// 0060  01 02 01 ff 0c ad 37 1b 70 6f 72 74 00 00 00 00
	// 0070  00 00 00 00 00 00 00 00 bb 1f ff ff ff ff ff ff
	// 0080  01 21 02 ff 7f be 2b 71 73 65 72 69 61 6c 00 00
	// 0090  00 00 00 00 00 00 00 00 09 00 ff ff 96 21 f3 2d
	// 00a0  44 2d 30 30 30 30 34 32 00 ff ff ff ff ff ff ff
	// 00b0  ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff
}
