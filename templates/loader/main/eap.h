/* How the board proves itself to the access point, and whom it lets ask. */
#ifndef EAP_H
#define EAP_H

#include "credential.h"

/*
 * Sets up WPA-Enterprise for the next connection: the credential, the method that
 * Kconfig names, and the name that the RADIUS server must prove under the
 * credential's root. False when something could not be set: then do not connect.
 */
bool eap_enable(const struct credential *own, const char *server);

/* Forgets all of that. */
void eap_disable(void);

#endif
