/*
 * Two slots for credentials, as a board has them in NVS: folders cred0 and cred1, each
 * laid out like a delivery, with the file "generation" as what makes it whole.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include "tcpboot.h"

/*
 * Opens the slots in a folder, which is made, with the delivered files of another (main/
 * of a delivery) in cred0, when it is not there. mac is the board's, of twelve digits.
 * The caller sets use. False: it cannot be opened.
 */
bool slots_open(const char *folder, const char *delivered, const char *mac, struct tb_credentials *c);

/* The folder with the files of a slot. */
const char *slots_folder(unsigned which);

#endif
