/* Puts the board's own cryptography, components/tcpboot_chip, in the place of the desk's. */
#include <stdlib.h>

#include "crypto.h"
#include "tcpboot_chip.h"

struct tb_crypto desk_crypto(void) {
	if (!psa_start())
		abort();
	return psa_functions();
}
