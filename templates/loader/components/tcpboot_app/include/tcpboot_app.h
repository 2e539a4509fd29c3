/*
 * What an application does for the loader that started it. An application calls
 * tcpboot_confirm once it knows that it works: before that, the next start drops it.
 *
 * None of these may run at the same time as another.
 */
#ifndef TCPBOOT_APP_H
#define TCPBOOT_APP_H

#include "tcpboot.h"

/*
 * Says that this application works: to the chip's bootloader first, which would drop
 * it, then to the loader, which reports it. TB_NOTHING: the loader knows of no
 * application, for this one came by cable; the bootloader knows.
 */
enum tb_result tcpboot_confirm(void);

/* Restarts into the loader. It returns only when it failed. */
enum tb_result tcpboot_return_to_loader(void);

/*
 * What an application fetches a loader by: what its own loader was built with, which is
 * the same for all boards of a hardware (`tcpboot loader export --level 2` lays these
 * files down), and what this board has in the partition `cred`.
 */
struct tcpboot_site {
	const char *hardware;
	struct tb_bytes document;         /* main/site.cose */
	struct tb_bytes servers_root;     /* main/servers_root.pem, PEM with its NUL */
	struct tb_bytes certificate, key; /* DER, or PEM with the NUL behind it counted */
};

/*
 * Asks the image server for a newer loader, on the network that the application has
 * joined, and puts it in the place of the old one. TB_OK: restart, into the new loader.
 * TB_NOTHING: there is none for this board. Else ask again some time: what is there
 * already is not fetched again. It takes minutes, some 50 KiB of heap, and a stack of
 * 8 KiB.
 *
 * Power may fail at any time: until the last step the application is what starts, for it
 * says of itself that it works before the first byte of the old loader is erased. From
 * there until it is done there is no loader to go back to.
 */
enum tb_result tcpboot_update_loader(const struct tcpboot_site *site);

#endif
