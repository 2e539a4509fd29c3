/*
 * The record of the chip's bootloader, otadata: two sectors, each with a sequence
 * number, a state, and the CRC of the sequence number at its start. The functions
 * stand in for ESP-IDF's, with one slot and with rollback.
 */
#ifndef OTADATA_H
#define OTADATA_H

#include "tcpboot.h"

/*
 * Does what the bootloader does at a start: drops an application that was started
 * and did not say that it works, and marks one that starts for the first time. True
 * when the application is to be started, if it is whole.
 */
bool otadata_chooses(const struct tb_flash *otadata);

/* Chooses the application for the next start. */
void otadata_activate(const struct tb_flash *otadata);

/* Says that the application works. */
void otadata_confirm(const struct tb_flash *otadata);

/* Chooses the loader. */
void otadata_erase(const struct tb_flash *otadata);

#endif
