#include "install.h"

#include "store.h"
#include "words.h"

/* In milliseconds, for one chunk or a whole list: a peer that drips is one that stalls. */
enum { PART_LIMIT = 60000 };

enum { BLOB_TARGET = 128 };

/* An image on its way. */
struct way {
	struct tb_board *board;
	const struct tb_component *image;
	const uint8_t *manifest; /* its digest */
	install_begin *begin;
	bool begun;
};

static uint32_t chunks_of(const struct tb_component *image) {
	return (image->size + image->chunk - 1) / image->chunk; /* 16 MiB and 16 KiB: far below 2^32 */
}

static size_t chunk_size(const struct tb_component *image, uint32_t offset) {
	return image->size - offset < image->chunk ? image->size - offset : image->chunk;
}

static bool fits(const struct tb_board *board, const struct tb_component *image) {
	return image->size <= board->slot.size && image->chunk <= board->chunk_size &&
	       (size_t)chunks_of(image) * TB_DIGEST <= board->list_size;
}

/* Asks for a blob from a byte on, of which the whole has so many. */
static enum tb_result ask_blob(const struct way *w, const uint8_t digest[TB_DIGEST], uint32_t from, uint32_t whole) {
	uint8_t text[BLOB_TARGET];
	struct writer target = {text, 0, sizeof text, false};
	struct http_head h;
	enum tb_result r;

	write_text(&target, "/v2/blobs/sha256:");
	write_hex(&target, digest, TB_DIGEST);
	r = http_ask(w->board, &(struct http_request){"GET", {text, target.size}, from, {NULL, 0}, NULL}, &h);
	if (r != TB_OK)
		return r;
	if (h.length != whole - from || (h.ranged ? h.first != from || h.total != whole : from != 0))
		return TB_PROTOCOL;
	return TB_OK;
}

static bool is_chunk(const struct way *w, uint32_t offset) {
	return sha256_is(&w->board->crypto, w->board->chunk, chunk_size(w->image, offset),
	                 w->board->list + offset / w->image->chunk * TB_DIGEST);
}

static enum tb_result fetch_list(const struct way *w) {
	uint32_t size = chunks_of(w->image) * TB_DIGEST;
	enum tb_result r = ask_blob(w, w->image->chunks, 0, size);

	if (r == TB_OK)
		r = http_read(w->board, w->board->list, size, PART_LIMIT);
	if (r != TB_OK)
		return r;
	return sha256_is(&w->board->crypto, w->board->list, size, w->image->chunks) ? TB_OK : TB_MISMATCH;
}

/*
 * Returns from which byte on the slot must be written. The last chunk that seems to
 * be there is written again where more must be, unless it was written since power came
 * on: power may have failed on the way, and flash cells that were left half way read
 * one thing now and another later.
 */
static uint32_t present(const struct way *w) {
	const struct tb_flash *slot = &w->board->slot;
	uint32_t offset = 0;

	while (offset < w->image->size) {
		size_t size = chunk_size(w->image, offset);

		if (!slot->read(slot->context, offset, w->board->chunk, size) || !is_chunk(w, offset))
			return offset > w->board->farthest ? offset - w->image->chunk : offset;
		offset += (uint32_t)size;
	}
	return offset;
}

static uint32_t whole_sectors(size_t size) {
	return ((uint32_t)size + TB_SECTOR - 1) / TB_SECTOR * TB_SECTOR;
}

/* Writes the chunk at hand, in sectors of its own: its size is a multiple of theirs. */
static enum tb_result put_chunk(struct way *w, uint32_t offset) {
	const struct tb_flash *slot = &w->board->slot;
	size_t size = chunk_size(w->image, offset);

	if (!w->begun) {
		enum tb_result r = w->begin(w->board, w->manifest);

		if (r != TB_OK)
			return r;
		w->begun = true;
	}
	if (!slot->erase(slot->context, offset, whole_sectors(size)))
		return TB_FLASH;
	return flash_write(slot, offset, w->board->chunk, size);
}

/*
 * A bad line is not a bad release: what was won is won. What is written again was not:
 * whoever cuts the line, or offers releases by turns, would wear out the flash.
 */
static void note_progress(struct tb_board *board, uint32_t offset) {
	if (offset <= board->farthest)
		return;
	board->farthest = offset;
	board->visits = 0;
}

static enum tb_result fetch_chunks(struct way *w, uint32_t offset) {
	enum tb_result r = ask_blob(w, w->image->digest, offset, w->image->size);

	while (r == TB_OK && offset < w->image->size) {
		size_t size = chunk_size(w->image, offset);

		r = http_read(w->board, w->board->chunk, size, PART_LIMIT);
		if (r == TB_OK && !is_chunk(w, offset))
			r = TB_MISMATCH;
		if (r == TB_OK)
			r = put_chunk(w, offset);
		offset += (uint32_t)size;
		if (r == TB_OK)
			note_progress(w->board, offset);
	}
	return r;
}

bool slot_holds(struct tb_board *board, const struct tb_component *image) {
	const struct tb_crypto *crypto = &board->crypto;
	uint8_t digest[TB_DIGEST];
	bool read = image->size <= board->slot.size;

	crypto->sha256_start(crypto->context);
	for (uint32_t offset = 0; read && offset < image->size; offset += TB_SECTOR) {
		size_t size = image->size - offset < TB_SECTOR ? image->size - offset : TB_SECTOR;

		read = board->slot.read(board->slot.context, offset, board->chunk, size);
		crypto->sha256_add(crypto->context, board->chunk, size);
	}
	crypto->sha256_finish(crypto->context, digest);
	return read && digests_equal(digest, image->digest);
}

static void say(struct tb_board *board, enum tb_event event, uint64_t number) {
	board->log.say(board->log.context, event, TB_OK, number);
}

enum tb_result install(struct tb_board *board, const struct tb_component *image,
                       const uint8_t manifest[TB_DIGEST], install_begin *begin) {
	struct way w = {board, image, manifest, begin, false};
	enum tb_result r;
	uint32_t offset;

	if (!fits(board, image))
		return TB_OTHER_BOARD;
	if ((r = fetch_list(&w)) != TB_OK)
		return r;
	offset = present(&w);
	say(board, TB_INSTALL_BEGUN, offset);
	if (offset < image->size && (r = fetch_chunks(&w, offset)) != TB_OK)
		return r;
	if (!slot_holds(board, image))
		return w.begun ? TB_FLASH : TB_MISMATCH;
	return board->boot.check(board->boot.context);
}
