/*
 * The order is what keeps the board alive. The application confirms itself, or the
 * next start would drop it for a loader that is half written. The image is read once
 * before anything is erased, so that a source which fails, or is another one, costs
 * nothing. What counts in the end is what flash holds, not what was sent there. The
 * bootloader's record goes last: before that, every start is the application's.
 */
#include "update.h"

#include <string.h>

/* Reads size bytes, a sector at most, from somewhere. */
typedef bool (*reader)(void *context, uint32_t offset, void *to, size_t size);

/* The rest of the image from offset on, a sector at most; offset is below its size. */
static size_t part(const struct tcpboot_image *image, uint32_t offset) {
	uint32_t left = image->size - offset;

	return left < TB_SECTOR ? left : TB_SECTOR;
}

/* Whether what read gives has the digest of the image. */
static bool is_image(const struct update *u, const struct tcpboot_image *image, reader read, void *context, uint8_t *room) {
	uint8_t digest[TB_DIGEST];
	bool all = true;

	u->crypto.sha256_start(u->crypto.context);
	for (uint32_t at = 0; at < image->size && all; at += TB_SECTOR) {
		all = read(context, at, room, part(image, at));
		if (all)
			u->crypto.sha256_add(u->crypto.context, room, part(image, at));
	}
	u->crypto.sha256_finish(u->crypto.context, digest);
	return all && memcmp(digest, image->digest, TB_DIGEST) == 0;
}

static bool put_sector(const struct update *u, const struct tcpboot_image *image, uint32_t at, uint8_t *room) {
	size_t size = part(image, at);

	return image->read(image->context, at, room, size) && u->factory.erase(u->factory.context, at, TB_SECTOR) &&
	       u->factory.write(u->factory.context, at, room, size);
}

static enum tb_result put_image(const struct update *u, const struct tcpboot_image *image, uint8_t *room) {
	for (uint32_t at = 0; at < image->size; at += TB_SECTOR)
		if (!put_sector(u, image, at, room))
			return TB_FLASH;
	return is_image(u, image, u->factory.read, u->factory.context, room) ? TB_OK : TB_FLASH;
}

/* The size is at most the partition's, so no offset above can wrap. */
static bool fits(const struct update *u, const struct tcpboot_image *image) {
	return image->size > 0 && image->size <= u->factory.size && u->factory.size <= TB_MAX_IMAGE;
}

enum tb_result update_loader(const struct update *u, const struct tcpboot_image *image) {
	static uint8_t room[TB_SECTOR]; /* a task's stack may have no room for it */
	enum tb_result r;

	if (!fits(u, image))
		return TB_OTHER_BOARD;
	if (!is_image(u, image, image->read, image->context, room))
		return TB_MISMATCH;
	r = u->confirm(u->context);
	if (r != TB_OK && r != TB_NOTHING)
		return r;
	if (!is_image(u, image, u->factory.read, u->factory.context, room))
		r = put_image(u, image, room);
	else
		r = TB_OK;
	if (r == TB_OK)
		r = u->check(u->context);
	return r == TB_OK ? u->forget(u->context) : r;
}
