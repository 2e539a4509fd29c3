#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "cose.h"
#include "otadata.h"

/* ---- cryptography that remembers, for the same is verified thousands of times ---- */

static struct tb_crypto desk;

static bool remembered(const uint8_t *key, const uint8_t *digest, const uint8_t *signature) {
	static struct {
		uint8_t question[TB_KEY + TB_DIGEST + TB_SIGNATURE];
		bool known, answer;
	} memory[1024];
	uint8_t question[sizeof memory[0].question] = {0};
	size_t at = 0;

	memcpy(question, key, TB_KEY);
	if (digest != NULL) {
		memcpy(question + TB_KEY, digest, TB_DIGEST);
		memcpy(question + TB_KEY + TB_DIGEST, signature, TB_SIGNATURE);
	}
	for (size_t i = 0; i < sizeof question; i++)
		at = (at * 31 + question[i]) % 1024;
	if (memory[at].known && memcmp(memory[at].question, question, sizeof question) == 0)
		return memory[at].answer;
	memcpy(memory[at].question, question, sizeof question);
	memory[at].known = true;
	memory[at].answer = digest == NULL ? desk.point(NULL, key) : desk.verify(NULL, key, digest, signature);
	return memory[at].answer;
}

static bool point(void *context, const uint8_t key[TB_KEY]) {
	(void)context;
	return remembered(key, NULL, NULL);
}

static bool verify(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
                   const uint8_t signature[TB_SIGNATURE]) {
	(void)context;
	return remembered(key, digest, signature);
}

/* ---- clock and log ---- */

static uint32_t now(void *context) {
	return ((struct world *)context)->now;
}

static void sleep_for(void *context, uint32_t milliseconds) {
	struct world *w = context;

	w->now += milliseconds;
	w->slept += milliseconds;
}

static uint32_t random_bits(void *context) {
	struct world *w = context;

	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed;
}

static void note(void *context, enum tb_event event, enum tb_result why, uint64_t number) {
	struct world *w = context;

	w->events[event]++;
	w->why[event] = why;
	w->number[event] = number;
	if (getenv("VERBOSE") != NULL)
		printf("  %s %llu: %s\n", tb_event_text(event), (unsigned long long)number, tb_result_name(why));
}

/* ---- the server ---- */

static uint64_t asked(const char *request, const char *key) {
	const char *at = strstr(request, key);

	assert(at != NULL);
	return strtoull(at + strlen(key), NULL, 10);
}

static void answer(struct world *w, const char *status, const char *fields, struct tb_bytes body) {
	w->answer_size = (size_t)snprintf((char *)w->answer, sizeof w->answer, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
	                                  status, fields, body.size);
	w->answer_at = 0;
	w->body = body;
}

static void answer_hello(struct world *w) {
	const char *request = (const char *)w->request;
	static uint8_t body[WORLD_SITES * MAKER_ROOM];
	struct server *s = &w->server;
	const char *wish = s->renew ? "Tcpboot-Renew: wanted\r\n" : "";
	bool updates = strstr(request, "&kind=loader ") != NULL;
	const struct made *manifest = updates ? &s->update : &s->manifest;
	size_t size = 0;

	s->hellos++;
	for (size_t i = 0; i < s->sites; i++) {
		if (s->epoch[i] <= asked(request, "&epoch="))
			continue;
		memcpy(body + size, s->site[i].bytes, s->site[i].size);
		size += s->site[i].size;
	}
	if (manifest->size > 0 && (updates || s->pushy || asked(request, "&counter=") < s->generation || asked(request, "&sequence=") < s->sequence)) {
		memcpy(body + size, manifest->bytes, manifest->size);
		size += manifest->size;
	}
	if (size == 0) {
		w->answer_size = (size_t)snprintf((char *)w->answer, sizeof w->answer, "HTTP/1.1 204 No Content\r\n%s\r\n", wish);
		w->answer_at = 0;
		w->body.size = 0;
	} else {
		answer(w, "200 OK", wish, (struct tb_bytes){body, size});
	}
}

static bool names(const char *request, struct tb_bytes blob) {
	uint8_t digest[TB_DIGEST];
	char hex[2 * TB_DIGEST + 1];

	sha256(&desk, blob.at, blob.size, digest);
	for (size_t i = 0; i < TB_DIGEST; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return strstr(request, hex) != NULL;
}

static void answer_blob(struct world *w) {
	const char *request = (const char *)w->request, *range = strstr(request, "Range: bytes=");
	static uint8_t list[64 * TB_DIGEST], loader_list[64 * TB_DIGEST];
	const struct tb_bytes blobs[] = {
		w->server.image, w->server.loader,
		{list, make_list(w->server.image, w->server.chunk, list)},
		{loader_list, make_list(w->server.loader, w->server.loader_chunk, loader_list)},
	};
	struct tb_bytes blob = {0};
	char fields[128] = "", status[32];
	size_t from = 0;

	w->server.blobs++;
	if (w->server.status > 0) {
		snprintf(status, sizeof status, "%u Not For You", w->server.status);
		answer(w, status, "", (struct tb_bytes){(const uint8_t *)"no\n", 3});
		return;
	}
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
		if (names(request, blobs[i]))
			blob = blobs[i];
	assert(blob.size > 0);
	if (range != NULL) {
		from = strtoull(range + strlen("Range: bytes="), NULL, 10);
		snprintf(fields, sizeof fields, "Content-Range: bytes %zu-%zu/%zu\r\n", from, blob.size - 1, blob.size);
	}
	answer(w, range != NULL ? "206 Partial Content" : "200 OK", fields, (struct tb_bytes){blob.at + from, blob.size - from});
	w->body_from = (uint32_t)from;
}

static void answer_report(struct world *w, const uint8_t *body, size_t size) {
	assert(size <= sizeof w->server.said);
	memcpy(w->server.said, body, size);
	w->server.said_size = size;
	w->server.reports++;
	w->answer_size = (size_t)snprintf((char *)w->answer, sizeof w->answer, "HTTP/1.1 204 No Content\r\n\r\n");
	w->answer_at = 0;
	w->body.size = 0;
}

static void answer_renew(struct world *w, const uint8_t *request, size_t size) {
	static uint8_t certificate[TB_MAX_CERTIFICATE];
	size_t made = w->server.certify((struct tb_bytes){request, size}, certificate);

	if (made > 0)
		answer(w, "200 OK", "Content-Type: application/pkix-cert\r\n", (struct tb_bytes){certificate, made});
	else
		answer(w, "202 Accepted", "Retry-After: 2\r\n", (struct tb_bytes){(const uint8_t *)"later\n", 6});
}

/* Answers the request once it is whole. */
static void serve(struct world *w) {
	const char *end, *request = (const char *)w->request;
	size_t head, body = 0;

	w->request[w->request_size] = 0;
	end = strstr(request, "\r\n\r\n");
	if (end == NULL)
		return;
	head = (size_t)(end + 4 - request);
	if (strncmp(request, "POST", 4) == 0)
		body = asked(request, "Content-Length: ");
	if (w->request_size < head + body)
		return;
	assert(strstr(request, "Host: ") != NULL && strstr(request, " HTTP/1.1\r\n") != NULL);
	if (w->server.busy > 0) {
		w->server.busy--;
		answer(w, "503 Service Unavailable", "Retry-After: 2\r\n", (struct tb_bytes){(const uint8_t *)"later\n", 6});
	} else if (strncmp(request, "GET /v2/boot?", 13) == 0) {
		answer_hello(w);
	} else if (strncmp(request, "GET /v2/blobs/sha256:", 21) == 0) {
		answer_blob(w);
	} else if (strncmp(request, "POST /v2/report ", 16) == 0) {
		answer_report(w, w->request + head, body);
	} else if (strncmp(request, "POST /v2/renew ", 15) == 0) {
		answer_renew(w, w->request + head, body);
	} else {
		assert(!"a request that the protocol does not know");
	}
	w->request_size = 0;
}

/* ---- the network ---- */

static enum tb_result join(void *context, const struct tb_peer *peer, uint32_t limit) {
	struct world *w = context;

	assert(strcmp(peer->name, "radius.site") == 0 && peer->issuers == 1);
	w->now += w->no_access_point ? limit : 0;
	return w->no_access_point ? TB_NETWORK : TB_OK;
}

static void close_stream(void *context) {
	struct world *w = context;

	w->open = false;
	w->request_size = w->answer_size = w->answer_at = w->body.size = 0;
}

static enum tb_result connect_to(void *context, const struct tb_peer *peer, uint32_t limit) {
	struct world *w = context;

	assert(!w->open);
	if (w->server.down || strcmp(peer->endpoint, w->server.endpoint) != 0 || strcmp(peer->name, w->server.name) != 0) {
		w->now += limit;
		return TB_NETWORK;
	}
	if (w->server.admits != NULL && !w->server.admits())
		return TB_REFUSED;
	w->open = true;
	return TB_OK;
}

static int write_some(void *context, const uint8_t *from, size_t size, uint32_t limit) {
	struct world *w = context;
	size_t n = 1 + random_bits(w) % size;

	assert(w->open && limit > 0 && w->request_size + n < sizeof w->request);
	memcpy(w->request + w->request_size, from, n);
	w->request_size += n;
	serve(w);
	return (int)n;
}

/* The connection is cut, or nothing comes any more. */
static int broken(struct world *w, uint32_t limit) {
	if (w->server.stalls)
		w->now += limit;
	w->server.breaks_after = -1;
	return w->server.stalls ? -1 : 0;
}

static int read_some(void *context, uint8_t *to, size_t size, uint32_t limit) {
	struct world *w = context;
	size_t head = w->answer_size - w->answer_at;
	size_t n = head > 0 ? head : w->body.size;

	assert(w->open && limit > 0);
	w->now++;
	n = n < size ? n : size;
	if (n > 0)
		n = 1 + random_bits(w) % n;
	if (w->server.breaks_after >= 0) {
		n = n < (size_t)w->server.breaks_after ? n : (size_t)w->server.breaks_after;
		w->server.breaks_after -= (long)n;
		if (n == 0)
			return broken(w, limit);
	}
	if (head > 0) {
		memcpy(to, w->answer + w->answer_at, n);
		w->answer_at += n;
		return (int)n;
	}
	if (n > 0)
		memcpy(to, w->body.at, n);
	if (w->server.image.size > 0 && w->body.at >= w->server.image.at && w->body.at < w->server.image.at + w->server.image.size) {
		size_t at = (size_t)(w->body.at - w->server.image.at);

		if (w->server.spoilt > at && w->server.spoilt <= at + n)
			to[w->server.spoilt - at - 1] ^= 1;
		w->server.sent += (long)n;
	}
	w->body.at += n;
	w->body.size -= n;
	return (int)n;
}

/* ---- the chip ---- */

/* The chip's own check, of the images that make_image makes. */
static bool image_is_whole(const struct tb_flash *slot, const struct tb_crypto *crypto) {
	uint8_t head[IMAGE_HEAD], part[256], digest[TB_DIGEST], want[TB_DIGEST];
	uint32_t size;

	slot->read(slot->context, 0, head, sizeof head);
	memcpy(&size, head + 4, sizeof size);
	if (head[0] != 0xe9 || size > slot->size || size < IMAGE_HEAD + TB_DIGEST)
		return false;
	crypto->sha256_start(crypto->context);
	for (uint32_t at = 0; at < size - TB_DIGEST; at += sizeof part) {
		uint32_t n = size - TB_DIGEST - at < sizeof part ? size - TB_DIGEST - at : sizeof part;

		slot->read(slot->context, at, part, n);
		crypto->sha256_add(crypto->context, part, n);
	}
	crypto->sha256_finish(crypto->context, digest);
	slot->read(slot->context, size - TB_DIGEST, want, sizeof want);
	return memcmp(digest, want, TB_DIGEST) == 0;
}

static enum tb_result check(void *context) {
	struct world *w = context;

	return image_is_whole(&w->board.slot, &w->board.crypto) && !w->refuses ? TB_OK : TB_BAD_IMAGE;
}

static enum tb_result check_loader(void *context) {
	struct world *w = context;

	return image_is_whole(&w->application.slot, &w->application.crypto) && !w->refuses ? TB_OK : TB_BAD_IMAGE;
}

static enum tb_result stay(void *context) {
	struct world *w = context;
	struct tb_flash otadata = nor_otadata(&w->nor);

	otadata_confirm(&otadata);
	return TB_OK;
}

static enum tb_result activate(void *context) {
	struct world *w = context;
	struct tb_flash otadata = nor_otadata(&w->nor);

	if (check(w) != TB_OK)
		return TB_BAD_IMAGE;
	otadata_activate(&otadata);
	return TB_OK;
}

static enum tb_result deactivate(void *context) {
	struct world *w = context;
	struct tb_flash otadata = nor_otadata(&w->nor);

	otadata_erase(&otadata);
	return TB_OK;
}

/* ---- the world ---- */

void world_wire(struct world *w) {
	struct tb_board *b = &w->board;

	desk = desk_crypto();
	b->network = (struct tb_network){w, join, connect_to, read_some, write_some, close_stream};
	b->slot = nor_slot(&w->nor);
	b->store = nor_store(&w->nor);
	if (w->no_store)
		b->store.size = 0;
	b->boot = (struct tb_boot){w, check, activate, deactivate};
	b->crypto = desk;
	b->crypto.point = point;
	b->crypto.verify = verify;
	b->clock = (struct tb_clock){w, now, sleep_for, random_bits};
	b->log = (struct tb_log){w, note};
	b->chunk = w->chunk;
	b->chunk_size = w->chunk_room;
	b->list = w->list;
	b->list_size = sizeof w->list;
}

void world_init(struct world *w) {
	memset(w, 0, sizeof *w);
	nor_blank(&w->nor);
	w->chunk_room = sizeof w->chunk;
	world_wire(w);
	w->built = make_site(&first_site);
	w->board.build = (struct tb_build){
		.hardware = "door", .channel = "stable", .chip = 5, .loader = {2, 0, 0},
		.document = made_bytes(&w->built), .record = 4096,
	};
	w->server.endpoint = first_site.endpoint;
	w->server.name = first_site.update;
	w->server.breaks_after = -1;
	w->seed = 1;
	w->now = 0xfffff000; /* clocks wrap */
}

void world_offer(struct world *w, const struct release_plan *p, struct tb_bytes image) {
	w->server.manifest = make_manifest(p, image);
	w->server.sequence = p->sequence;
	w->server.generation = p->counter.generation;
	w->server.image = image;
	w->server.chunk = p->chunk;
}

void world_offer_loader(struct world *w, const struct release_plan *p, struct tb_bytes image) {
	w->server.update = make_manifest(p, image);
	w->server.loader = image;
	w->server.loader_chunk = p->chunk;
}

void world_publish(struct world *w, const struct site_plan *p) {
	struct server *s = &w->server;

	assert(s->sites < WORLD_SITES);
	s->site[s->sites] = make_site(p);
	s->epoch[s->sites++] = p->epoch;
}

bool world_power_on(struct world *w) {
	struct tb_flash otadata = nor_otadata(&w->nor);

	close_stream(w);
	return otadata_chooses(&otadata) && image_is_whole(&w->board.slot, &w->board.crypto);
}

bool world_load(struct world *w, int rounds) {
	uint32_t wait;

	world_wire(w); /* nothing of before the power cut is left in memory */
	if (w->nor.factory[0] == 0xe9) {
		struct tb_flash factory = nor_factory(&w->nor);

		assert(image_is_whole(&factory, &w->board.crypto)); /* or the board would stand still */
		w->board.build.loader[1] = w->nor.factory[1];
	}
	memset(&w->board.state, 0xa5, sizeof w->board.state);
	memset(w->board.document, 0xa5, sizeof w->board.document);
	assert(tb_open(&w->board) == TB_OK);
	while (rounds-- > 0) {
		if (tb_round(&w->board, &wait) == TB_START)
			return true;
		sleep_for(w, wait);
	}
	return false;
}

void world_confirm(struct world *w) {
	struct tb_flash otadata = nor_otadata(&w->nor);

	otadata_confirm(&otadata);
	assert(tb_confirm(&w->board.store) == TB_OK);
}

void world_return(struct world *w) {
	struct tb_flash otadata = nor_otadata(&w->nor);

	otadata_erase(&otadata);
}

enum tb_result world_update(struct world *w) {
	struct tb_board *b = &w->application;

	close_stream(w);
	world_wire(w);
	*b = w->board;
	memset(&b->state, 0xa5, sizeof b->state);
	memset(b->document, 0xa5, sizeof b->document);
	memset(b->build.loader, 0, sizeof b->build.loader);
	b->build.channel = NULL;
	b->slot = nor_factory(&w->nor);
	b->boot = (struct tb_boot){w, check_loader, deactivate, stay};
	b->visits = 0;
	return tb_update_loader(b);
}

bool world_has_loader(const struct world *w, struct tb_bytes image) {
	return memcmp(w->nor.factory, image.at, image.size) == 0;
}

bool world_holds(const struct world *w, struct tb_bytes image) {
	return memcmp(w->nor.slot, image.at, image.size) == 0;
}
