/*
 * What makes this board the board that it is, to the RADIUS server and to the
 * image server. credential_nvs.c or credential_embedded.c is built in.
 */
#ifndef CREDENTIAL_H
#define CREDENTIAL_H

#include "tcpboot.h"

/*
 * Certificates and keys are DER, or PEM with the NUL behind it counted: Mbed TLS
 * tells them apart by that NUL. ESP-IDF keeps pointers to them while Wi-Fi is up,
 * so they stay where they are until the core has another slot used.
 */
struct credential {
	const char *identity;         /* twelve hex digits: the board's MAC */
	const char *password;         /* for PEAP and TTLS */
	const char *ssid;
	struct tb_bytes certificate;
	struct tb_bytes key;
	struct tb_bytes radius_root;  /* whom the board lets be its RADIUS server */
};

/* Returns the credential to go by, or NULL if the board holds none. */
const struct credential *credential_held(void);

/* The slots as the core sees them: it says which is used, and when a new one is asked for. */
struct tb_credentials credential_functions(void);

/* Opens the partition in which credential_nvs.c keeps them; false when it does not open. */
bool credential_partition(void);

#endif
