/* The cryptography of the desk: Debian's Mbed TLS 2.28. */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "tcpboot.h"

/* Returns functions over one hash context of their own. */
struct tb_crypto desk_crypto(void);

#endif
