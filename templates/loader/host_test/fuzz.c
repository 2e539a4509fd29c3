/*
 * One harness for each reader of bytes from outside, for libFuzzer; the variable
 * FUZZ_READER of the environment chooses.
 * What is read must lie within what was given, and nothing that nobody signed may
 * touch the slot.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "http.h"
#include "manifest.h"
#include "store.h"
#include "words.h"
#include "world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- crypto that costs nothing: every key is a point, no signature is good ---- */

static bool point(void *context, const uint8_t key[TB_KEY]) {
	(void)context;
	return key[0] != 0xff;
}

static bool verify(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
                   const uint8_t signature[TB_SIGNATURE]) {
	(void)context;
	return (key[1] ^ digest[1] ^ signature[1]) == 0;
}

static struct tb_crypto cheap(void) {
	struct tb_crypto c = desk_crypto();

	c.point = point;
	c.verify = verify;
	return c;
}

static bool within(const uint8_t *data, size_t size, struct tb_bytes b) {
	return b.at >= data && b.at <= data + size && b.size <= (size_t)(data + size - b.at);
}

/* ---- readers ---- */

/* What is read as a number is written the same again; a cursor that is lost stays so. */
static void fuzz_cbor(const uint8_t *data, size_t size) {
	struct cursor c = cursor_over((struct tb_bytes){data, size}), before = c;
	struct tb_bytes b;
	uint8_t head[9];
	uint64_t n;

	while (cursor_left(&c) > 0) {
		before = c;
		n = cbor_uint(&c);
		if (c.at != NULL) {
			assert(make_head(head, CBOR_UINT, n) == (size_t)(c.at - before.at));
			assert(memcmp(head, before.at, (size_t)(c.at - before.at)) == 0);
			assert(n > UINT16_MAX || cbor_put_head(head, CBOR_UINT, (size_t)n) == (size_t)(c.at - before.at));
			assert(memcmp(head, before.at, (size_t)(c.at - before.at)) == 0);
			continue;
		}
		assert(n == 0 && cursor_left(&c) == 0 && !cursor_done(&c) && cbor_bytes(&c).size == 0 && cbor_array(&c) == 0);
		c = before;
		b = cbor_bytes(&c);
		if (c.at != NULL) {
			assert(within(data, size, b));
			continue;
		}
		c = before;
		b = cbor_text(&c);
		if (c.at != NULL) {
			(void)(word_is_name(b) + word_is_host(b) + word_is_endpoint(b));
			continue;
		}
		if ((c = before, (void)cbor_int(&c), c.at == NULL) && (c = before, n = cbor_array(&c), c.at == NULL) &&
		    (c = before, n = cbor_map(&c), c.at == NULL))
			return;
		assert(n <= size);
	}
}

static void fuzz_cose(const uint8_t *data, size_t size) {
	struct tb_crypto crypto = cheap();
	const uint8_t *key = maker_key(1);
	struct cose_message m;

	if (cose_read_all((struct tb_bytes){data, size}, MANIFEST_TYPE, &m) != TB_OK)
		return;
	assert(within(data, size, m.payload) && within(data, size, m.protected_));
	assert(m.signatures >= 1 && m.signatures <= TB_MAX_SIGNERS);
	for (size_t i = 0; i < m.signatures; i++)
		assert(within(data, size, (struct tb_bytes){m.signature[i].value, TB_SIGNATURE}));
	(void)cose_verify(&m, &crypto, &key, 1, 1);
}

static void fuzz_manifest(const uint8_t *data, size_t size) {
	struct judge board = {.site = {data, size > 63 ? 63 : size}, .chip = 5};
	struct cose_message message;
	struct manifest m;

	if (manifest_read((struct tb_bytes){data, size}, &message, &m) != TB_OK)
		return;
	assert(within(data, size, m.version) && m.image.size >= 1 && m.image.size <= TB_MAX_IMAGE);
	assert(m.image.chunk >= TB_SECTOR && m.image.chunk <= TB_MAX_CHUNK && m.image.chunk % TB_SECTOR == 0);
	board.channel = m.version;
	(void)manifest_judge(&m, &board);
}

static void fuzz_sitedoc(const uint8_t *data, size_t size) {
	struct tb_crypto crypto = cheap();
	struct tb_site s, next;
	struct cose_message m;
	const uint8_t *key;

	if (site_read((struct tb_bytes){data, size}, &crypto, &s) != TB_OK)
		return;
	assert(s.roots >= 1 && s.roots <= TB_MAX_ROOTS && s.threshold >= 1 && s.threshold <= s.roots && s.epoch > 0);
	assert(s.endpoints >= 1 && within(data, size, s.endpoint[0]) && within(data, size, s.floors));
	(void)site_floor(&s, s.name);
	(void)site_release_key(&s, &crypto, s.root[0], 1, s.name, &key);
	assert(cose_read_all((struct tb_bytes){data, size}, SITE_TYPE, &m) == TB_OK);
	assert(site_follow(&s, &m, &crypto, &next) != TB_OK); /* no document succeeds itself */
}

static void fuzz_http(const uint8_t *data, size_t size) {
	struct tb_bytes all = {data, size};
	struct http_head h;
	size_t n = http_head_size(all);

	assert(n <= size);
	if (http_parse((struct tb_bytes){data, n > 0 ? n : size}, &h) != TB_OK)
		return;
	assert(n > 0 && h.status >= 200 && h.status <= 599 && (h.has_length || h.status == 204));
	assert(!h.ranged || h.first < h.total);
}

/* ---- a board among strangers ---- */

static struct world beginning;

static void begin(void) {
	static uint8_t image[20000];

	if (beginning.server.manifest.size > 0)
		return;
	make_image(image, sizeof image, 1);
	world_init(&beginning);
	world_offer(&beginning, &first_release, (struct tb_bytes){image, sizeof image});
	assert(world_load(&beginning, 1) && world_power_on(&beginning));
	world_confirm(&beginning);
	world_return(&beginning);
}

/* The server is down: what counts is what the store says, and any store may lie there. */
static void fuzz_store(const uint8_t *data, size_t size) {
	static struct world w;
	struct tb_state s;

	begin();
	w = beginning;
	world_wire(&w);
	memset(w.nor.store, 0xff, sizeof w.nor.store);
	memcpy(w.nor.store, data, size < sizeof w.nor.store ? size : sizeof w.nor.store);
	w.server.down = true;
	w.nor.slot_operations = 0;
	(void)world_load(&w, 6);
	(void)tb_confirm(&w.board.store);
	(void)store_load(&w.board.store, &s);
	assert(w.nor.slot_operations == 0);
}

/* What the server says, in two parts. */
static struct tb_bytes said[2];

static int read_said(void *context, uint8_t *to, size_t size, uint32_t limit) {
	struct tb_bytes *part = &said[said[0].size == 0];

	(void)context;
	(void)limit;
	size = size < part->size ? size : part->size;
	memcpy(to, part->at, size);
	*part = (struct tb_bytes){part->at + size, part->size - size};
	return (int)size;
}

static int swallow(void *context, const uint8_t *from, size_t size, uint32_t limit) {
	(void)context;
	(void)from;
	(void)limit;
	return (int)size;
}

static bool never(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
                  const uint8_t signature[TB_SIGNATURE]) {
	(void)context;
	(void)key;
	(void)digest;
	(void)signature;
	return false;
}

static struct tb_credentials renewing; /* look NULL: not */

/* One visit to a server that is anybody, says anything, and has no key. */
static void visit(struct tb_bytes head, struct tb_bytes body) {
	static struct world w;
	uint32_t wait;

	begin();
	w = beginning;
	world_wire(&w);
	w.board.crypto.verify = never;
	w.board.credentials = renewing;
	w.board.network.read = read_said;
	w.board.network.write = swallow;
	said[0] = head;
	said[1] = body;
	w.nor.slot_operations = 0;
	assert(tb_open(&w.board) == TB_OK);
	(void)tb_round(&w.board, &wait);
	assert(w.nor.slot_operations == 0 && w.board.state.sequence == first_release.sequence && wait <= 600000);
}

static void fuzz_answer(const uint8_t *data, size_t size) {
	visit((struct tb_bytes){NULL, 0}, (struct tb_bytes){data, size});
}

/* The same behind a head that is in order, so that the documents come to be read. */
static void fuzz_documents(const uint8_t *data, size_t size) {
	char head[64];
	int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);

	visit((struct tb_bytes){(const uint8_t *)head, (size_t)n}, (struct tb_bytes){data, size});
}

/* ---- a board that asks for a certificate ---- */

/* What the board says that lies in its slots: one credential; and what it made of an answer. */
static struct tb_credential alone(void *context, unsigned slot) {
	(void)context;
	return (struct tb_credential){.generation = !slot};
}

static void goes_by(void *context, unsigned slot) {
	(void)context;
	assert(slot == 0);
}

static size_t ask_for(void *context, unsigned slot, uint8_t *to, size_t room) {
	(void)context;
	assert(slot == 1);
	memset(to, 0x30, room);
	return room;
}

static bool keep_nothing(void *context, unsigned slot, struct tb_bytes certificate) {
	(void)context;
	assert(slot == 1 && certificate.size <= TB_MAX_CERTIFICATE);
	for (size_t i = 0; i < certificate.size; i++)
		assert(certificate.at[i] <= 0xff);
	return false;
}

static bool drop_new(void *context, unsigned slot) {
	(void)context;
	assert(slot == 1);
	return true;
}

/* The server wants a renewal, and then answers anything. */
static void fuzz_renew(const uint8_t *data, size_t size) {
	static const char head[] = "HTTP/1.1 204 No Content\r\nTcpboot-Renew: wanted\r\n\r\n";

	renewing = (struct tb_credentials){.look = alone, .use = goes_by, .request = ask_for, .keep = keep_nothing, .drop = drop_new};
	visit((struct tb_bytes){(const uint8_t *)head, sizeof head - 1}, (struct tb_bytes){data, size});
}

/* ---- the harness ---- */

static const struct {
	const char *name;
	void (*fuzz)(const uint8_t *data, size_t size);
} readers[] = {
	{"cbor", fuzz_cbor}, {"cose", fuzz_cose}, {"manifest", fuzz_manifest}, {"sitedoc", fuzz_sitedoc},
	{"http", fuzz_http}, {"store", fuzz_store}, {"answer", fuzz_answer},
	{"documents", fuzz_documents}, {"renew", fuzz_renew},
};

static void (*reader)(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	const char *name = getenv("FUZZ_READER");

	(void)argc;
	(void)argv;
	for (size_t i = 0; name != NULL && i < sizeof readers / sizeof *readers; i++)
		if (strcmp(readers[i].name, name) == 0)
			reader = readers[i].fuzz;
	assert(reader != NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	reader(data, size);
	return 0;
}
