/* The core's cryptography by PSA, for the loader and for applications. */
#ifndef TCPBOOT_PSA_H
#define TCPBOOT_PSA_H

#include "tcpboot.h"

/* Starts PSA; false when the chip gives it no random numbers. May be called twice. */
bool psa_start(void);

/* Returns functions over one hash of their own. */
struct tb_crypto psa_functions(void);

#endif
