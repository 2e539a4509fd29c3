/* The way of an image into the slot, and the look at what is there. */
#ifndef TCPBOOT_INSTALL_H
#define TCPBOOT_INSTALL_H

#include "http.h"
#include "manifest.h"

/* Lets go of what is in the slot, for the manifest with that digest. */
typedef enum tb_result install_begin(struct tb_board *board, const uint8_t manifest[TB_DIGEST]);

/*
 * Brings the image that the manifest states into the slot, and proves that it is
 * there. The slot is written only after begin said TB_OK, which it is asked once,
 * when the first chunk that is to be written is at hand. Beside the faults of
 * http_ask: TB_OTHER_BOARD (it does not fit), TB_MISMATCH, TB_FLASH, TB_BAD_IMAGE,
 * and those of begin.
 */
enum tb_result install(struct tb_board *board, const struct tb_component *image,
                       const uint8_t manifest[TB_DIGEST], install_begin *begin);

/* Whether the slot holds that image, every byte of it. */
bool slot_holds(struct tb_board *board, const struct tb_component *image);

#endif
