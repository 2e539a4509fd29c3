#include "sites.h"

#include <string.h>

#include "store.h"
#include "words.h"

/* After so many visits that did not reach the server, another document is tried. */
enum { MISSES = 2 };

static struct tb_document *held(struct tb_board *board) {
	return &board->document[board->held];
}

struct tb_document *sites_spare(struct tb_board *board) {
	return &board->document[!board->held];
}

struct tb_site *site_held(struct tb_board *board) {
	return &held(board)->site;
}

static void say(struct tb_board *board, enum tb_event event, enum tb_result why, uint64_t number) {
	board->log.say(board->log.context, event, why, number);
}

/* Reads a stored document into the spare room. */
static bool read_spare(struct tb_board *board, unsigned which) {
	struct tb_document *d = sites_spare(board);

	d->size = store_site(&board->store, which, d->bytes);
	return d->size > 0 && site_read((struct tb_bytes){d->bytes, d->size}, &board->crypto, &d->site) == TB_OK;
}

/* Swaps the stored document into use, if it is better than what is in use. */
static void consider(struct tb_board *board, unsigned which) {
	const struct tb_site *now = site_held(board), *s = &sites_spare(board)->site;

	if (read_spare(board, which) && bytes_equal(s->name, now->name) && s->epoch > now->epoch &&
	    (board->ceiling == 0 || s->epoch < board->ceiling))
		board->held = !board->held;
}

enum tb_result sites_pick(struct tb_board *board) {
	struct tb_bytes built = board->build.document;
	struct tb_document *d = held(board);
	enum tb_result r;

	if (built.size > TB_MAX_DOCUMENT)
		return TB_TOO_LONG;
	memcpy(d->bytes, built.at, built.size);
	d->size = built.size;
	r = site_read((struct tb_bytes){d->bytes, d->size}, &board->crypto, &d->site);
	if (r != TB_OK)
		return r;
	for (unsigned i = 0; i < STORE_SITES; i++)
		consider(board, i);
	return TB_OK;
}

void sites_reached(struct tb_board *board) {
	uint64_t epoch = site_held(board)->epoch;

	board->misses = 0;
	if (epoch <= board->state.proven)
		return;
	board->state.proven = epoch;
	say(board, TB_SITE_PROVEN, store_save(&board->store, &board->state), epoch);
}

/* Below the ceiling lie documents that were not tried; when none is left, it is lifted. */
void sites_missed(struct tb_board *board) {
	uint64_t epoch = site_held(board)->epoch;

	if (++board->misses < MISSES)
		return;
	board->misses = 0;
	board->ceiling = epoch > board->state.proven ? epoch : 0;
	(void)sites_pick(board); /* the document of the build, which could fail, was read before */
	if (board->ceiling > 0 && site_held(board)->epoch >= board->ceiling) {
		board->ceiling = 0;
		(void)sites_pick(board);
	}
	if (site_held(board)->epoch != epoch)
		say(board, TB_SITE_CHANGED, TB_OK, site_held(board)->epoch);
}

enum tb_result sites_learn(struct tb_board *board, struct cursor *c) {
	struct tb_document *next = sites_spare(board);
	struct cose_message m;
	enum tb_result r = cose_read(c, SITE_TYPE, &m);

	if (r == TB_OK)
		r = site_follow(site_held(board), &m, &board->crypto, &next->site);
	if (r != TB_OK) {
		say(board, TB_SITE_REFUSED, r, site_held(board)->epoch);
		return r;
	}
	next->size = (size_t)(c->at - next->bytes);
	board->held = !board->held;
	say(board, TB_SITE_LEARNED, TB_OK, site_held(board)->epoch);
	return TB_OK;
}

/* The place that does not hold the proven document; the room for reading is free. */
static unsigned place(struct tb_board *board) {
	for (unsigned i = 0; i < STORE_SITES; i++)
		if (read_spare(board, i) && sites_spare(board)->site.epoch == board->state.proven)
			return !i;
	return 0;
}

enum tb_result sites_store(struct tb_board *board) {
	struct tb_bytes signed_ = {held(board)->bytes, held(board)->size};
	struct tb_document *d = sites_spare(board);
	unsigned which = place(board);

	if (board->store.size < TB_STORE_SIZE)
		return TB_OK;
	d->size = store_site(&board->store, which, d->bytes);
	if (bytes_equal(signed_, (struct tb_bytes){d->bytes, d->size}))
		return TB_OK; /* learned again, after it did not lead to the server */
	return store_put_site(&board->store, which, signed_);
}
