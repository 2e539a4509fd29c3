/*
 * The board's credential, and how it gets a new one over the air (T20).
 *
 * Two slots. In one lies the credential that the board goes by, the other is empty.
 * When the server wants it, the board makes a key in the empty one, asks for its
 * certificate until it has it, and then there are two. The newer one is on trial: the
 * next visits are made by it, TRIES of them at most. After those the board goes by the
 * older one to each of the servers, then by the newer one, and so on. Whichever leads to
 * a server ends it:
 *
 *	the newer one                  the older one is dropped
 *	the older one, TRIES used up   the newer one is dropped
 *
 * So a slot is emptied only while the server answers by the other one, and what lies
 * in the slots says where the board stands, wherever power fails. A try is counted
 * before it is made: a credential on which the loader founders has no more of them.
 */
#ifndef TCPBOOT_RENEW_H
#define TCPBOOT_RENEW_H

#include "tcpboot.h"

/* Chooses the credential for the visit that begins. */
void renew_choose(struct tb_board *board);

/* Says that the server answered by it. */
void renew_reached(struct tb_board *board);

/* Asks for a new credential where one is wanted; true when one is here, to be tried. */
bool renew(struct tb_board *board);

#endif
