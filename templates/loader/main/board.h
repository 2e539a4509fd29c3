/*
 * The board side: what the core asks of a board, one file per duty. main.c puts
 * the parts together; the core decides. Each file says in which versions of
 * ESP-IDF the calls exist that it makes, of those from 5.1 on.
 */
#ifndef BOARD_H
#define BOARD_H

#include "tcpboot.h"

/* ---- site.c: what is the same for all boards of a site, and compiled in ---- */

/* The site document to begin with, signed. */
struct tb_bytes site_document(void);

/* The root of the image servers, PEM with its NUL. */
struct tb_bytes site_servers_root(void);

/* ---- flash.c ---- */

/* The slot for the application. */
struct tb_flash flash_slot(void);

/* The loader's own partition; of size 0 where the partition table has none. */
struct tb_flash flash_store(void);

/* ---- boot.c ---- */

/* The orders to the chip's bootloader. */
struct tb_boot boot_orders(void);

/* ---- wifi.c or ethernet.c: one of them is built in ---- */

/* Starts the network interface. What fails there makes every join fail. */
void network_start(void);

/* Joins the network within limit milliseconds, as tb_network.join. */
enum tb_result network_join(void *context, const struct tb_peer *peer, uint32_t limit);

/* ---- tls.c ---- */

/* The secured streams, on the network that network_join joins. */
struct tb_network tls_network(void);

#endif
