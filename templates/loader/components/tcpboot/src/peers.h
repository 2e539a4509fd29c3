/* Whom the board talks to, as the site document in use says. */
#ifndef TCPBOOT_PEERS_H
#define TCPBOOT_PEERS_H

#include "tcpboot.h"

/* Logs in at the network. */
enum tb_result peers_join(struct tb_board *board);

/* Connects to the image server: at another endpoint with each visit that failed. */
enum tb_result peers_connect(struct tb_board *board);

#endif
