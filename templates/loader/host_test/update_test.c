/*
 * An application updates its loader. Power fails at every single flash operation of it,
 * twice, and lines break: at each start the chip starts the application, or a loader
 * that is whole, the old one or the new one. And whatever a server hands out that is no
 * newer loader for this board costs nothing.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store.h"
#include "world.h"

enum { SIZE = 30000, SIZE_NEW = 38000, STARTS_MOST = 12 };

static uint8_t app_image[SIZE], old_image[SIZE], new_image[SIZE_NEW];
static const struct tb_bytes app = {app_image, SIZE}, old = {old_image, SIZE}, fresh = {new_image, SIZE_NEW};

static const struct site_plan site = {
	.epoch = 1, .release_key = 2, .loader_key = 4, .root = 1, .signer = {1, 0},
	.endpoint = "127.0.0.1:8123", .update = "update.site",
};
static const struct release_plan update = {
	.site = "site", .version = "loader-2.2.0", .hardware = "door", .channel = "loader-stable", .kind = 2, .chip = 5,
	.sequence = 1, .counter = {0, 0}, .signer = 4, .chunk = 8192,
};

/* A board whose application runs for the first time, on a loader 2.1.0. */
static void begin(struct world *w) {
	world_init(w);
	w->built = make_site(&site);
	w->board.build.document = made_bytes(&w->built);
	memcpy(w->nor.factory, old_image, SIZE);
	world_offer(w, &first_release, app);
	assert(world_load(w, 1));
	world_offer_loader(w, &update, fresh);
	w->nor.operations = 0;
	w->server.reports = 0;
}

static bool said(const struct world *w, enum tb_outcome outcome) {
	return w->server.said_size > 36 && w->server.said[37] == outcome;
}

/* ---- power ---- */

/* The new loader ran, and said of itself that it works; and the application runs. */
static bool is_over(struct world *w) {
	struct tb_state s;

	return world_has_loader(w, fresh) && store_load(&w->board.store, &s) == TB_OK && s.loader[1] == 2;
}

static bool live(struct world *w) {
	if (!world_power_on(w)) {
		assert(world_has_loader(w, old) || world_has_loader(w, fresh));
		(void)world_load(w, 20);
		return false;
	}
	assert(world_holds(w, app));
	if (is_over(w))
		return true;
	(void)world_update(w);
	return false;
}

static void live_on(struct world *w) {
	for (int starts = 0; starts < STARTS_MOST; starts++)
		if (live(w)) {
			assert(said(w, TB_SAYS_CONFIRMED));
			return;
		}
	assert(!"the update does not come to its end");
}

static void begin_resumed(struct world *w) {
	begin(w);
	w->server.breaks_after = 25000;
	assert(world_power_on(w) && world_update(w) == TB_NETWORK && w->nor.factory_operations > 0 && !world_has_loader(w, old));
	w->nor.operations = 0;
}

/* Power fails at operation `cut`, and where again is not below 0, so many later once more. */
static int cut_at(const struct world *beginning, long cut, long again, enum tear tear) {
	static struct world w;
	static volatile int failures;

	w = *beginning;
	world_wire(&w);
	w.board.build.document = made_bytes(&w.built);
	w.nor.cut = cut;
	w.nor.tear = tear;
	w.nor.seed = (uint32_t)(cut * 7919 + again * 104729 + 1);
	failures = 0;
	if (setjmp(w.nor.power) != 0) {
		failures++;
		w.nor.cut = failures == 1 && again >= 0 ? w.nor.operations + again : -1;
	}
	live_on(&w);
	return failures;
}

static long run(const char *name, void (*start)(struct world *w)) {
	static struct world beginning, whole;
	long total, cuts = 0;

	start(&beginning);
	whole = beginning;
	world_wire(&whole);
	live_on(&whole);
	total = whole.nor.operations;
	for (long cut = 0; cut < total; cut++) {
		for (int tear = TEAR_NONE; tear < TEARS; tear++)
			cuts += cut_at(&beginning, cut, -1, (enum tear)tear);
		for (long again = 0; again < 4; again++)
			cuts += cut_at(&beginning, cut, again * again * 3, TEAR_PART);
	}
	printf("update: %-14s %4ld operations, %5ld cuts, 0 bricks\n", name, total, cuts);
	return cuts;
}

/* ---- what is refused ---- */

static struct world w;

/* A release that an application must refuse, and why. */
struct refusal {
	const char *name;
	enum tb_result why;
	void (*change)(struct release_plan *p);
};

#define CHANGE(name, statement) \
	static void name(struct release_plan *p) { statement; }

CHANGE(firmware_key, p->signer = 2)
CHANGE(stranger, p->signer = 3)
CHANGE(firmware, *p = first_release; p->sequence = 9)
CHANGE(firmware_named_so, p->kind = 1; p->signer = 2)
CHANGE(firmware_channel, p->channel = "stable")
CHANGE(other_channel, p->channel = "loader-beta")
CHANGE(other_site, p->site = "elsewhere")
CHANGE(other_hardware, p->hardware = "lamp")
CHANGE(other_chip, p->chip = 0)
CHANGE(older, p->version = "loader-2.0.9")
CHANGE(the_same, p->version = "loader-2.1.0")
CHANGE(no_version, p->version = "loader-2.2")
CHANGE(too_far, p->loader[0] = 2; p->loader[1] = 1; p->loader[2] = 1)
CHANGE(other_generation, p->counter.generation = 1)

static const struct refusal refusals[] = {
	{"signed by a key for firmware", TB_SCOPE, firmware_key},
	{"signed by a stranger", TB_UNTRUSTED, stranger},
	{"firmware", TB_OTHER_BOARD, firmware},
	{"firmware that is called as a loader", TB_OTHER_BOARD, firmware_named_so},
	{"on the channel of firmware", TB_OTHER_BOARD, firmware_channel},
	{"for another channel", TB_OTHER_BOARD, other_channel},
	{"of another site", TB_OTHER_SITE, other_site},
	{"for another hardware", TB_SCOPE, other_hardware},
	{"for another chip", TB_OTHER_BOARD, other_chip},
	{"an older loader", TB_STALE, older},
	{"the loader that runs", TB_STALE, the_same},
	{"without a version", TB_INVALID, no_version},
	{"for loaders that are newer", TB_OTHER_BOARD, too_far},
	{"with a counter that no document allows", TB_COUNTER, other_generation},
};

static void unharmed(const char *name) {
	if (!world_has_loader(&w, old) || w.nor.factory_operations > 0)
		printf("update: %s: the loader was touched\n", name);
	assert(world_has_loader(&w, old) && w.nor.factory_operations == 0);
}

static void test_refused(void) {
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct release_plan p = update;

		begin(&w);
		refusals[i].change(&p);
		world_offer_loader(&w, &p, fresh);
		assert(world_update(&w) == TB_NOTHING);
		if (w.why[TB_MANIFEST_REFUSED] != refusals[i].why)
			printf("update: %s: %s\n", refusals[i].name, tb_result_name(w.why[TB_MANIFEST_REFUSED]));
		assert(w.events[TB_MANIFEST_REFUSED] == 1 && w.why[TB_MANIFEST_REFUSED] == refusals[i].why);
		unharmed(refusals[i].name);
		assert(said(&w, TB_SAYS_FAILED));
	}
}

/* What comes wrongly is not written, and a loader that no store knows of is not updated. */
static void test_unharmed(void) {
	begin(&w);
	w.server.spoilt = 1;
	w.server.image = fresh;
	assert(world_update(&w) == TB_MISMATCH);
	unharmed("spoilt");

	begin(&w);
	w.server.update.bytes[w.server.update.size - 1] ^= 1;
	assert(world_update(&w) == TB_NOTHING);
	unharmed("forged");

	begin(&w);
	w.no_store = true;
	assert(world_update(&w) == TB_NOTHING && w.server.hellos == 1);
	unharmed("no store");
}

/* What flash does not hold, or the chip does not take, is not chosen; and it is made good. */
static void test_made_good(void) {
	begin(&w);
	w.nor.stuck = 1;
	assert(world_update(&w) == TB_FLASH && world_power_on(&w));
	w.refuses = true;
	assert(world_update(&w) == TB_BAD_IMAGE && world_power_on(&w));
	assert(world_update(&w) == TB_NOTHING && w.why[TB_MANIFEST_REFUSED] == TB_GIVEN_UP);
	w.refuses = false;
	world_offer_loader(&w, &(struct release_plan){
		.site = "site", .version = "loader-2.2.1", .hardware = "door", .channel = "loader-stable", .kind = 2, .chip = 5,
		.sequence = 2, .signer = 4, .chunk = 4096,
	}, fresh);
	assert(world_update(&w) == TB_OK && !world_power_on(&w) && world_has_loader(&w, fresh));
}

/*
 * The application is reported before the loader, and the loader before it asks for
 * anything: by that report the server knows which images it takes.
 */
static void test_reports(void) {
	unsigned hellos;

	begin(&w);
	assert(world_update(&w) == TB_OK && w.server.reports >= 2 && said(&w, TB_SAYS_ACTIVATED));
	hellos = w.server.hellos;
	w.server.busy = 1000;
	assert(!world_power_on(&w) && !world_load(&w, 1) && w.server.hellos == hellos && w.why[TB_VISIT_FAILED] == TB_LATER);
	w.server.busy = 0;
	assert(!world_power_on(&w) && world_load(&w, 1) && w.server.hellos == hellos + 1 && said(&w, TB_SAYS_CONFIRMED));
	assert(world_power_on(&w) && world_holds(&w, app));
	assert(world_update(&w) == TB_NOTHING && w.why[TB_MANIFEST_REFUSED] == TB_STALE);
}

int main(void) {
	long cuts;

	make_image(app_image, SIZE, 7);
	make_image(old_image, SIZE, 1);
	make_image(new_image, SIZE_NEW, 2);
	test_refused();
	test_unharmed();
	test_made_good();
	test_reports();
	cuts = run("a new loader", begin) + run("resumed", begin_resumed);
	printf("update: %ld cuts in all\n", cuts);
	return cuts < 2000;
}
