/*
 * What a board does with what a server sends: releases that it must refuse, lines
 * that break, documents that do not lead anywhere, applications that do not work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "world.h"

enum { SIZE_OLD = 30000, SIZE_NEW = 38000, SIZE_BIG = NOR_SLOT + TB_SECTOR };

static uint8_t old_image[SIZE_OLD], new_image[SIZE_NEW], third_image[SIZE_NEW], big_image[SIZE_BIG];
static const struct tb_bytes old = {old_image, SIZE_OLD}, fresh = {new_image, SIZE_NEW}, third = {third_image, SIZE_NEW};
static const struct tb_bytes big = {big_image, SIZE_BIG};
static struct world w;
static const char *row;
static int failures;

#define CHECK(condition)                                                     \
	do {                                                                     \
		if (!(condition)) {                                                  \
			fprintf(stderr, "%s: line %d: %s\n", row, __LINE__, #condition); \
			failures++;                                                      \
		}                                                                    \
	} while (0)

/* ---- how stories begin ---- */

/* A board on which version 1.0.0 was installed at counter (0, 3), and works. */
static void begin(const char *name) {
	struct release_plan p = first_release;

	row = name;
	world_init(&w);
	p.counter.count = 3;
	p.sequence = 5;
	world_offer(&w, &p, old);
	CHECK(world_load(&w, 1) && world_power_on(&w));
	world_confirm(&w);
	world_return(&w);
	CHECK(!world_power_on(&w));
	memset(w.events, 0, sizeof w.events);
	w.nor.slot_operations = 0;
	w.server.reports = w.server.blobs = 0;
	w.server.sent = 0;
}

/* The next release of that board. */
static struct release_plan next(void) {
	struct release_plan p = first_release;

	p.version = "1.1.0";
	p.sequence = 6;
	p.counter.count = 3;
	return p;
}

static bool reported(enum tb_outcome outcome, enum tb_cause cause) {
	const uint8_t *end = w.server.said + w.server.said_size;

	if (w.server.reports == 0)
		return false;
	if (cause == TB_CAUSE_NONE)
		return w.server.said[0] == 0xa2 && end[-2] == 2 && end[-1] == outcome;
	return w.server.said[0] == 0xa3 && end[-4] == 2 && end[-3] == outcome && end[-2] == 3 && end[-1] == cause;
}

/* ---- releases that are refused before anything is touched ---- */

struct refusal {
	const char *name;
	enum tb_result why;
	void (*change)(struct release_plan *p);
};

#define CHANGE(name, statement)                      \
	static void name(struct release_plan *p) { statement; }

CHANGE(stranger, p->signer = 3)
CHANGE(root_signs, p->signer = 1)
CHANGE(other_site, p->site = "elsewhere")
CHANGE(other_hardware, p->hardware = "lamp")
CHANGE(other_chip, p->chip = 0)
CHANGE(other_channel, p->channel = "beta")
CHANGE(replayed, p->sequence = 5)
CHANGE(older_sequence, p->sequence = 4)
CHANGE(older_counter, p->counter.count = 2)
CHANGE(fast_forward, p->counter.generation = 1)
CHANGE(loader_kind, p->kind = 2; p->version = "loader-2.1.0"; p->channel = "loader-stable")
CHANGE(newer_loader, p->loader[0] = 2; p->loader[2] = 1)

static const struct refusal refusals[] = {
	{"signed by a stranger", TB_UNTRUSTED, stranger},
	{"signed by a root", TB_UNTRUSTED, root_signs},
	{"of another site", TB_OTHER_SITE, other_site},
	{"for another hardware", TB_SCOPE, other_hardware},
	{"for another chip", TB_OTHER_BOARD, other_chip},
	{"for another channel", TB_OTHER_BOARD, other_channel},
	{"replayed", TB_STALE, replayed},
	{"an older sequence", TB_STALE, older_sequence},
	{"an older counter", TB_STALE, older_counter},
	{"a fast-forwarded counter", TB_COUNTER, fast_forward},
	{"a loader, with a key for firmware", TB_SCOPE, loader_kind},
	{"for a newer loader", TB_OTHER_BOARD, newer_loader},
};

/* The old application was not touched, and starts again. */
static void untouched(enum tb_result why) {
	CHECK(world_load(&w, 1));
	CHECK(w.events[TB_MANIFEST_REFUSED] == 1 && w.why[TB_MANIFEST_REFUSED] == why);
	CHECK(w.nor.slot_operations == 0 && w.server.blobs == 0);
	CHECK(world_holds(&w, old) && world_power_on(&w));
}

static void test_refusals(void) {
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct release_plan p = next();

		begin(refusals[i].name);
		refusals[i].change(&p);
		world_offer(&w, &p, fresh);
		w.server.pushy = true;
		untouched(refusals[i].why);
		CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_REFUSED));
		world_return(&w);
		CHECK(world_load(&w, 1) && w.server.reports == 2); /* once per board and manifest */
	}
}

static void test_sizes(void) {
	struct release_plan p = next();

	begin("an image that does not fit the slot");
	world_offer(&w, &p, big);
	untouched(TB_OTHER_BOARD);

	begin("chunks that do not fit the memory");
	p.chunk = 8192;
	world_offer(&w, &p, fresh);
	w.chunk_room = 4096;
	untouched(TB_OTHER_BOARD);
}

/* Every bit of a manifest that is changed makes it another, or none. */
static void test_forgeries(void) {
	struct release_plan p = next();
	struct world beginning;

	begin("a manifest with a bit changed");
	world_offer(&w, &p, fresh);
	beginning = w;
	for (size_t i = 0; i < beginning.server.manifest.size; i++) {
		w = beginning;
		w.server.manifest.bytes[i] ^= (uint8_t)(1 << i % 8);
		w.server.pushy = true;
		world_load(&w, 1);
		CHECK(w.events[TB_INSTALL_BEGUN] == 0 && w.nor.slot_operations == 0);
	}
	begin("a manifest that is cut short");
	world_offer(&w, &p, fresh);
	w.server.manifest.size--;
	world_load(&w, 1);
	CHECK(w.events[TB_INSTALL_BEGUN] == 0);
}

/* ---- lines ---- */

static void test_breaks(void) {
	struct release_plan p = next();
	uint32_t random = 7;

	for (int i = 0; i < 100; i++) {
		begin("a line that breaks");
		world_offer(&w, &p, fresh);
		random = random * 1664525 + 1013904223;
		w.server.breaks_after = (long)(random >> 8) % (SIZE_NEW + 2000);
		w.server.stalls = i % 2 == 1;
		CHECK(world_load(&w, 10) && world_power_on(&w) && world_holds(&w, fresh));
		CHECK(w.server.sent <= SIZE_NEW + 3 * TB_SECTOR); /* gone on with, not begun anew */
		CHECK(reported(TB_SAYS_ACTIVATED, TB_CAUSE_NONE));
	}
}

/* Makes rounds in which the line breaks behind the first chunk; true when there is something to start. */
static bool nibble(int rounds, uint32_t *wait) {
	while (rounds-- > 0) {
		w.server.breaks_after = (long)w.server.manifest.size + 6000;
		if (tb_round(&w.board, wait) == TB_START)
			return true;
	}
	return false;
}

static void test_nibbled(void) {
	struct release_plan p = next(), q = next();
	uint32_t wait = 0;

	begin("a line that breaks behind each chunk");
	world_offer(&w, &p, fresh);
	CHECK(!world_load(&w, 0));
	CHECK(nibble(12, &wait) && world_power_on(&w) && world_holds(&w, fresh));
	CHECK(w.server.sent <= 2 * SIZE_NEW && w.nor.slot_operations <= 2 * 10);

	begin("two releases by turns, and a line that breaks behind each chunk");
	q.sequence = 7;
	CHECK(!world_load(&w, 0));
	for (int i = 0; i < 10; i++) {
		world_offer(&w, i % 2 == 0 ? &p : &q, i % 2 == 0 ? fresh : third);
		CHECK(!nibble(1, &wait));
	}
	CHECK(wait > 60 * 1000); /* flash wears: what is written again is not won */
}

static void test_down(void) {
	begin("a server that is down");
	w.server.down = true;
	w.slept = 0;
	CHECK(world_load(&w, 5) && world_power_on(&w) && world_holds(&w, old));
	CHECK(w.slept > 0 && w.slept < 2 * 60 * 1000);

	begin("no access point");
	w.no_access_point = true;
	CHECK(world_load(&w, 5) && world_power_on(&w) && world_holds(&w, old));

	row = "a new board without a server";
	world_init(&w);
	w.server.down = true;
	w.slept = 0;
	CHECK(!world_load(&w, 30));
	CHECK(w.slept > 30 * 60 * 1000u && w.slept < 30 * 600 * 1000u);
}

static void test_later(void) {
	struct release_plan p = next();

	begin("a server that is busy");
	world_offer(&w, &p, fresh);
	w.server.busy = 4;
	CHECK(world_load(&w, 1) && world_holds(&w, fresh));

	begin("a server that is always busy");
	world_offer(&w, &p, fresh);
	w.server.busy = 1000;
	CHECK(world_load(&w, 5) && world_holds(&w, old) && w.server.busy > 900);
}

static void test_withdrawn(void) {
	struct release_plan p = next();

	begin("withdrawn on the way");
	world_offer(&w, &p, fresh);
	w.server.breaks_after = 20000;
	CHECK(!world_load(&w, 1));
	w.server.status = 410;
	CHECK(!world_load(&w, 2) && w.why[TB_VISIT_FAILED] == TB_GONE);
	p.version = "1.0.0";
	p.sequence = 7;
	w.server.status = 0;
	world_offer(&w, &p, old);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, old));

	begin("withdrawn, and the release before it is what there is");
	world_offer(&w, &p, fresh);
	w.server.breaks_after = 20000;
	CHECK(!world_load(&w, 1));
	p = first_release;
	p.counter.count = 3;
	p.sequence = 5;
	world_offer(&w, &p, old);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, old));
}

/* ---- images ---- */

static void test_spoilt(void) {
	struct release_plan p = next();

	begin("an image that is spoilt in its first chunk");
	world_offer(&w, &p, fresh);
	w.server.spoilt = 1;
	CHECK(world_load(&w, 10) && world_power_on(&w) && world_holds(&w, old));
	CHECK(w.nor.slot_operations == 0 && w.number[TB_INSTALL_FAILED] == 3);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_CORRUPT));

	begin("an image that is spoilt in its last chunk");
	world_offer(&w, &p, fresh);
	w.server.spoilt = SIZE_NEW;
	CHECK(!world_load(&w, 10) && !world_power_on(&w));
	CHECK(w.number[TB_INSTALL_FAILED] == 3 && w.why[TB_MANIFEST_REFUSED] == TB_GIVEN_UP);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_CORRUPT) && w.why[TB_STAYS] == TB_NOTHING);
	p.sequence++;
	w.server.spoilt = 0;
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, fresh));
}

static void test_flash(void) {
	struct release_plan p = next();

	begin("flash that does not take what is written");
	world_offer(&w, &p, fresh);
	w.nor.stuck = -1;
	CHECK(!world_load(&w, 10) && w.number[TB_INSTALL_FAILED] == 3);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_FLASH));

	begin("flash that does not take one write");
	world_offer(&w, &p, fresh);
	w.nor.stuck = 1;
	CHECK(world_load(&w, 10) && world_holds(&w, fresh));
}

static bool write_none(void *context, uint32_t offset, const void *from, size_t size) {
	(void)context;
	(void)from;
	return offset >= 2 * TB_SECTOR || size == 0;
}

/* Only the sectors of the state are worn out: they are those that are written most. */
static void test_worn_store(void) {
	struct release_plan p = next();
	uint32_t wait;

	begin("a store that takes no state any more");
	world_offer(&w, &p, fresh);
	store_put_manifest(&w.board.store, 1, made_bytes(&w.server.manifest));
	CHECK(!world_load(&w, 0));
	w.board.store.write = write_none;
	for (int i = 0; i < 6 && tb_round(&w.board, &wait) != TB_START; i++)
		;
	CHECK(world_power_on(&w) && world_holds(&w, old) && w.nor.slot_operations == 0);
	CHECK(w.events[TB_STORE_FAILED] > 0 && w.why[TB_MANIFEST_REFUSED] == TB_GIVEN_UP);
}

static void test_chip(void) {
	struct release_plan p = next();

	begin("an image that the chip would not start");
	world_offer(&w, &p, fresh);
	w.refuses = true;
	CHECK(!world_load(&w, 3) && w.events[TB_INSTALL_FAILED] == 1);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_INVALID) && w.board.state.sequence == 5);
}

static void test_unconfirmed(void) {
	struct release_plan p = next();

	begin("an application that never says that it works");
	world_offer(&w, &p, fresh);
	for (int i = 0; i < 3; i++) {
		CHECK(world_load(&w, 1) && world_power_on(&w)); /* it runs, and dies */
		CHECK(!world_power_on(&w));                     /* the bootloader drops it */
	}
	CHECK(!world_load(&w, 2) && w.why[TB_STAYS] == TB_UNCONFIRMED);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_UNCONFIRMED));
	CHECK(!world_load(&w, 2) && w.server.reports == 3);

	row = "a release after it that fails too";
	p.version = "1.2.0";
	p.sequence = 7;
	world_offer(&w, &p, third);
	w.server.spoilt = 1;
	CHECK(!world_load(&w, 6) && w.number[TB_INSTALL_FAILED] == 3 && w.why[TB_MANIFEST_REFUSED] == TB_GIVEN_UP);
	CHECK(reported(TB_SAYS_FAILED, TB_CAUSE_CORRUPT));
}

static void test_reports(void) {
	struct release_plan p = next();

	begin("a confirmation that is owed when the next release is there");
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_holds(&w, fresh));
	CHECK(w.server.reports == 2 && reported(TB_SAYS_ACTIVATED, TB_CAUSE_NONE));
}

static void test_decay(void) {
	begin("an application that decayed");
	w.nor.slot[20000] ^= 4;
	CHECK(!world_load(&w, 1) && w.why[TB_STAYS] == TB_MISMATCH);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, old));
	CHECK(w.server.sent < 20000); /* from there on */
}

static void test_same_image(void) {
	struct release_plan p = next();

	begin("the same image under a new manifest");
	world_offer(&w, &p, old);
	CHECK(world_load(&w, 1) && world_power_on(&w) && w.board.state.sequence == 6);
	CHECK(w.nor.slot_operations == 0 && w.server.sent == 0);
}

/* ---- floors ---- */

static void test_floors(void) {
	struct release_plan p = next(), q = next();

	begin("a counter below that of the loader");
	w.board.build.counter.count = 4;
	world_offer(&w, &p, fresh);
	untouched(TB_STALE);

	begin("a counter below that of the site document");
	world_publish(&w, &(struct site_plan){2, 0, 2, 1, {1, 0}, "127.0.0.1:8123", "update.site", 4, 0});
	world_offer(&w, &p, fresh);
	untouched(TB_COUNTER);

	begin("a counter below what was known before the state was lost");
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	p.counter.count = 2;
	world_offer(&w, &p, fresh);
	untouched(TB_STALE);
	CHECK(w.events[TB_STORE_LOST] == 1);

	begin("a sequence below what was known before the state was lost");
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	p = next();
	p.sequence = 5;
	world_offer(&w, &p, fresh);
	w.server.pushy = true;
	untouched(TB_STALE);

	begin("a release that was on its way when the state was lost");
	p = next();
	world_offer(&w, &p, fresh);
	CHECK(store_put_manifest(&w.board.store, 1, made_bytes(&w.server.manifest)) == TB_OK);
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	CHECK(world_load(&w, 1) && world_holds(&w, fresh));

	begin("a release before one that was on its way when the state was lost");
	p = next();
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_power_on(&w));
	world_confirm(&w);
	world_return(&w);
	CHECK(!world_power_on(&w));
	q.sequence = 7;
	world_offer(&w, &q, third);
	w.server.breaks_after = 20000;
	CHECK(!world_load(&w, 1));
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	world_offer(&w, &p, fresh);
	w.server.pushy = true;
	CHECK(!world_load(&w, 1) && w.why[TB_MANIFEST_REFUSED] == TB_STALE);

	begin("a new generation");
	world_publish(&w, &(struct site_plan){2, 1, 2, 1, {1, 0}, "127.0.0.1:8123", "update.site", 0, 0});
	p = next();
	p.counter = (struct tb_counter){1, 0};
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_holds(&w, fresh));
}

/* ---- a thief of the release key ---- */

static const struct site_plan second_generation = {2, 1, 4, 1, {1, 0}, "127.0.0.1:8123", "update.site", 0, 0};

/* A release by the key that the second generation names. */
static struct release_plan freed(uint64_t sequence) {
	struct release_plan p = next();

	p.version = "1.2.0";
	p.signer = 4;
	p.sequence = sequence;
	p.counter = (struct tb_counter){1, 4};
	return p;
}

/* A board on which a thief has installed a release with the highest numbers, and it works. */
static void begin_stolen(const char *name) {
	struct release_plan p = next();

	begin(name);
	p.sequence = UINT64_MAX;
	p.counter.count = UINT32_MAX;
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, fresh));
	world_confirm(&w);
	world_return(&w);
	CHECK(!world_power_on(&w) && w.board.state.sequence == UINT64_MAX);
	memset(w.events, 0, sizeof w.events);
	w.server.blobs = 0;
}

/* The board takes that release, and none that is not above it. */
static void takes(const struct release_plan *p) {
	struct release_plan q = *p;

	world_offer(&w, p, third);
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, third));
	CHECK(w.board.state.sequence == p->sequence && w.board.state.counter.generation == 1);
	world_return(&w);
	q.version = "1.3.0";
	world_offer(&w, &q, old);
	w.server.pushy = true;
	CHECK(world_load(&w, 1) && world_holds(&w, third) && w.why[TB_MANIFEST_REFUSED] == TB_STALE);
}

static void stays(enum tb_result why) {
	w.server.pushy = true;
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, fresh) && w.server.blobs == 0);
	CHECK(w.events[TB_MANIFEST_REFUSED] == 1 && w.why[TB_MANIFEST_REFUSED] == why);
}

static void test_stolen(void) {
	struct release_plan p = freed(6), q = next();

	begin_stolen("the highest numbers, and a new generation");
	world_publish(&w, &second_generation);
	takes(&p);

	begin_stolen("the highest numbers, and a loader that was built for the new generation");
	world_publish(&w, &second_generation);
	w.board.build.counter.generation = 1;
	takes(&p);

	begin_stolen("the highest numbers, and a release of their generation");
	q.counter.count = UINT32_MAX;
	world_offer(&w, &q, third);
	stays(TB_STALE);

	begin("a new generation, stated by a thief");
	q = freed(UINT64_MAX);
	q.signer = 2;
	world_offer(&w, &q, fresh);
	untouched(TB_COUNTER);
}

/* Kept are the manifests of the thief's release and of the one that frees the board. */
static void lose_state_freed(const char *name, const struct release_plan *p) {
	begin_stolen(name);
	world_publish(&w, &second_generation);
	world_offer(&w, p, third);
	w.server.breaks_after = 20000;
	CHECK(!world_load(&w, 1) && w.board.state.phase == TB_EMPTY);
	world_offer(&w, p, third);
}

static void test_stolen_and_lost(void) {
	struct release_plan p = freed(6), q;

	lose_state_freed("a release of a new generation, and a line that breaks", &p);
	takes(&p);

	lose_state_freed("a release of a new generation on its way when the state was lost", &p);
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	takes(&p);
	CHECK(w.events[TB_STORE_LOST] == 1);

	lose_state_freed("a release below one that was on its way when the state was lost", &p);
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	q = freed(5);
	world_offer(&w, &q, third);
	w.server.pushy = true;
	CHECK(!world_load(&w, 1) && w.why[TB_MANIFEST_REFUSED] == TB_STALE);

	begin_stolen("a release of a new generation at hand when the state was lost");
	world_publish(&w, &second_generation);
	world_offer(&w, &p, third);
	CHECK(store_put_manifest(&w.board.store, 0, made_bytes(&w.server.manifest)) == TB_OK);
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	takes(&p);
	CHECK(w.events[TB_STORE_LOST] == 1);

	row = "the state lost behind it";
	w.server.pushy = false;
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	CHECK(world_load(&w, 1) && world_holds(&w, third));
	CHECK(w.board.state.sequence == 6 && w.board.state.counter.generation == 1 && w.board.state.counter.count == 4);
}

/* ---- site documents ---- */

static void test_revoked_key(void) {
	struct release_plan p = next();

	begin("a release key that the next site document does not name");
	world_publish(&w, &(struct site_plan){2, 0, 4, 1, {1, 0}, "127.0.0.1:8123", "update.site", 0, 0});
	world_offer(&w, &p, fresh);
	untouched(TB_UNTRUSTED);

	begin("the release key that it names instead");
	world_publish(&w, &(struct site_plan){2, 0, 4, 1, {1, 0}, "127.0.0.1:8123", "update.site", 0, 0});
	p.signer = 4;
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 1) && world_holds(&w, fresh));
}

static void test_roots(void) {
	begin("new roots, one document after the other");
	world_publish(&w, &(struct site_plan){2, 0, 2, 5, {1, 5}, "127.0.0.1:8123", "update.site", 0, 0});
	world_publish(&w, &(struct site_plan){4, 0, 2, 5, {5, 0}, "127.0.0.1:8123", "update.site", 0, 0});
	CHECK(world_load(&w, 1) && w.number[TB_SITE_LEARNED] == 4);
	world_return(&w);
	CHECK(world_load(&w, 1) && w.number[TB_SITE_PROVEN] == 4);

	begin("a document that strangers signed");
	world_publish(&w, &(struct site_plan){2, 0, 2, 5, {5, 0}, "127.0.0.1:8123", "update.site", 0, 0});
	CHECK(world_load(&w, 5) && w.events[TB_SITE_LEARNED] == 0 && w.why[TB_SITE_REFUSED] == TB_UNTRUSTED);
	CHECK(world_power_on(&w) && world_holds(&w, old));
}

/* A document that leads nowhere is given up for the one before, and does not count as proven. */
static void test_trial(void) {
	struct release_plan p = next();

	begin("a site document that does not lead to the server");
	world_publish(&w, &(struct site_plan){2, 0, 2, 1, {1, 0}, "127.0.0.1:9999", "update.site", 0, 0});
	CHECK(world_load(&w, 1) && w.number[TB_SITE_LEARNED] == 2);
	world_return(&w);
	world_offer(&w, &p, fresh);
	w.events[TB_SITE_PROVEN] = 0;
	CHECK(world_load(&w, 5) && world_power_on(&w) && world_holds(&w, fresh));
	CHECK(w.events[TB_SITE_CHANGED] == 1 && w.board.state.proven == 1);

	begin("a server that moved");
	world_publish(&w, &(struct site_plan){2, 0, 2, 1, {1, 0}, "127.0.0.1:9999", "new.site", 0, 0});
	CHECK(world_load(&w, 1) && w.board.state.proven == 1);
	world_return(&w);
	w.server.endpoint = "127.0.0.1:9999";
	w.server.name = "new.site";
	CHECK(world_load(&w, 1) && w.board.state.proven == 2);

	row = "a server that moved back, and the state is lost";
	world_return(&w);
	memset(w.nor.store, 0, 2 * TB_SECTOR);
	w.server.endpoint = first_site.endpoint;
	w.server.name = first_site.update;
	world_offer(&w, &p, fresh);
	CHECK(world_load(&w, 8) && world_holds(&w, fresh));
}

/* ---- a board of 2017 has no store ---- */

static void test_no_store(void) {
	struct release_plan p = first_release;

	row = "a board without a store";
	world_init(&w);
	w.no_store = true;
	world_offer(&w, &p, old);
	CHECK(world_load(&w, 1) && world_power_on(&w) && w.events[TB_STORE_MISSING] == 1);
	CHECK(tb_confirm(&w.board.store) == TB_NOTHING);
	world_return(&w);
	w.server.sent = 0;
	CHECK(world_load(&w, 1) && world_power_on(&w) && world_holds(&w, old) && w.server.sent == 0);
}

static void test_small_store(void) {
	struct release_plan p = first_release;
	uint32_t wait;

	row = "a store that is too small";
	world_init(&w);
	world_offer(&w, &p, old);
	CHECK(!world_load(&w, 0));
	w.board.store.size = TB_STORE_SIZE - TB_SECTOR;
	CHECK(tb_round(&w.board, &wait) == TB_START && world_power_on(&w) && world_holds(&w, old));
}

int main(void) {
	make_image(old_image, SIZE_OLD, 1);
	make_image(new_image, SIZE_NEW, 2);
	make_image(third_image, SIZE_NEW, 4);
	make_image(big_image, SIZE_BIG, 3);
	test_refusals();
	test_sizes();
	test_forgeries();
	test_breaks();
	test_nibbled();
	test_down();
	test_later();
	test_withdrawn();
	test_spoilt();
	test_flash();
	test_worn_store();
	test_chip();
	test_unconfirmed();
	test_reports();
	test_decay();
	test_same_image();
	test_floors();
	test_stolen();
	test_stolen_and_lost();
	test_revoked_key();
	test_roots();
	test_trial();
	test_no_store();
	test_small_store();
	printf("story: %d failures\n", failures);
	return failures > 0;
}
