/*
 * A whole world for the core: a board with flash, a bootloader, an application, and
 * an image server in the same process, each of which can be made to misbehave.
 */
#ifndef WORLD_H
#define WORLD_H

#include "maker.h"
#include "nor.h"

enum { WORLD_SITES = 4, IMAGE_ROOM = NOR_SLOT };

/* What the server has, and what is wrong with it. */
struct server {
	struct made site[WORLD_SITES];
	uint64_t epoch[WORLD_SITES];
	size_t sites;
	struct made manifest;     /* size 0: nothing to install */
	uint64_t sequence;
	uint32_t generation;      /* of its counter */
	bool pushy;               /* offers the manifest whatever the board has */
	struct tb_bytes image;
	uint32_t chunk;
	struct made update;       /* the manifest of a loader, for who asks for one */
	struct tb_bytes loader;
	uint32_t loader_chunk;

	const char *endpoint;     /* where it listens, and what it proves to be */
	const char *name;
	bool down;                /* nobody listens */
	long breaks_after;        /* bytes, then the connection is cut, once; -1: never */
	bool stalls;              /* then: says nothing more instead */
	uint32_t spoilt;          /* offset in the image of a byte that is sent wrongly, from 1; 0: none */
	uint32_t status;          /* of answers about blobs; 0: as it should be */
	uint32_t busy;            /* how many requests are answered with 503 first */

	bool renew;               /* wants the board to renew its certificate */
	size_t (*certify)(struct tb_bytes request, uint8_t *certificate); /* 0: not yet */
	bool (*admits)(void);     /* the credential that the board goes by; NULL: any */

	uint8_t said[4096];       /* the last report's body */
	size_t said_size;
	unsigned reports, hellos, blobs;
	long sent;                /* bytes of images and lists */
};

struct world {
	struct nor nor;
	struct tb_board board;
	struct tb_board application; /* the same board, as the application updates its loader */
	struct server server;
	uint8_t chunk[TB_MAX_CHUNK], list[64 * TB_DIGEST];
	struct made built;        /* the document that the loader was built with */

	uint32_t now, slept;      /* milliseconds */
	uint32_t seed;
	bool refuses;             /* the chip does not start what is in the slot, or in factory */
	bool no_access_point;
	bool no_store;            /* a board with the partition table of 2017 */
	size_t chunk_room;        /* bytes for a chunk */

	/* the one connection */
	bool open;
	uint8_t request[4096], answer[8192];
	size_t request_size, answer_size, answer_at;
	struct tb_bytes body;     /* behind the answer's head */
	uint32_t body_from;

	/* the last of each event, and how often it came */
	unsigned events[32];
	enum tb_result why[32];
	uint64_t number[32];
};

/* Makes a new board of hardware "door" on channel "stable", and a server with nothing. */
void world_init(struct world *w);

/* Connects the board of a world that was copied to its own flash. */
void world_wire(struct world *w);

/* Puts a release on the server; the image stays where it is. */
void world_offer(struct world *w, const struct release_plan *p, struct tb_bytes image);

/* Puts a release of a loader on the server. */
void world_offer_loader(struct world *w, const struct release_plan *p, struct tb_bytes image);

/* Puts a successor of the site documents on the server. */
void world_publish(struct world *w, const struct site_plan *p);

/* Power on: true when the chip starts the application. */
bool world_power_on(struct world *w);

/* Starts the loader and makes up to so many rounds; true when there is something to start. */
bool world_load(struct world *w, int rounds);

/* What an application does: says that it works; and returns to the loader. */
void world_confirm(struct world *w);
void world_return(struct world *w);

/* What an application does: updates the loader. Its version is 2.n.0, n that of the image. */
enum tb_result world_update(struct world *w);
bool world_has_loader(const struct world *w, struct tb_bytes image);

bool world_holds(const struct world *w, struct tb_bytes image);

#endif
