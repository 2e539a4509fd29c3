/* The update of a loader, without ESP-IDF: so it can be tried where power fails. */
#ifndef UPDATE_H
#define UPDATE_H

#include "tcpboot_app.h"

/* What the update asks of a board. */
struct update {
	struct tb_flash factory;            /* the loader's partition */
	struct tb_crypto crypto;
	void *context;
	enum tb_result (*confirm)(void *);  /* makes the application that runs one that stays */
	enum tb_result (*check)(void *);    /* whether the chip takes what lies in factory */
	enum tb_result (*forget)(void *);   /* makes the loader the next that starts */
};

enum tb_result update_loader(const struct update *u, const struct tcpboot_image *image);

#endif
