/*
 * Which site document a board goes by. It has the one that its loader was built
 * with and two stored ones. A document is on trial until the board joined the
 * network and reached the server by what it says; only then does it take the place
 * of the one before. So no document, however well signed, can lock a board out.
 */
#ifndef TCPBOOT_SITES_H
#define TCPBOOT_SITES_H

#include "manifest.h"

struct tb_site *site_held(struct tb_board *board);

/* The room for the next document; until then for whatever else comes and goes. */
struct tb_document *sites_spare(struct tb_board *board);

/* Takes up the newest document whose epoch is below the ceiling. */
enum tb_result sites_pick(struct tb_board *board);

/* Says that the board reached the server, or did not, by the document in use. */
void sites_reached(struct tb_board *board);
void sites_missed(struct tb_board *board);

/*
 * Takes up the successor that the cursor begins with, and leaves it behind it.
 * The cursor walks over the room of the document that is not in use.
 */
enum tb_result sites_learn(struct tb_board *board, struct cursor *c);

/* Stores the document in use, on trial. */
enum tb_result sites_store(struct tb_board *board);

#endif
