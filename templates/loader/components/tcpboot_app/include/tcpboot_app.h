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
 * The image of a new loader. read puts bytes of it somewhere, false when they cannot
 * be had; digest is its SHA-256, as a manifest says that was verified.
 */
struct tcpboot_image {
	void *context;
	bool (*read)(void *context, uint32_t offset, void *to, size_t size);
	uint32_t size;
	uint8_t digest[TB_DIGEST];
};

/*
 * Puts a new loader in the place of the old one, and chooses it for the next start;
 * then restart. Power may fail at any time: until the last step the application is
 * what starts, and doing it again completes it. After TB_FLASH or TB_BAD_IMAGE there
 * is no loader to go back to before it was done again, and came to TB_OK.
 */
enum tb_result tcpboot_update_loader(const struct tcpboot_image *image);

#endif
