/*
 * Power fails at every single flash operation of a first install, an update, an
 * update that is gone on with, and a step back after an application that never said
 * that it works. After each: the chip starts the old application, the new one, or
 * the loader; no number has fallen; and the board comes to its end all the same.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "world.h"

enum { SIZE_OLD = 30000, SIZE_NEW = 38000, STARTS_MOST = 12 };

static uint8_t old_image[SIZE_OLD], new_image[SIZE_NEW];
static const struct tb_bytes old = {old_image, SIZE_OLD}, fresh = {new_image, SIZE_NEW};

static const struct release_plan old_release = {
	.site = "site", .version = "1.0.0", .hardware = "door", .channel = "stable", .kind = 1, .chip = 5,
	.sequence = 1, .counter = {0, 1}, .signer = 2, .chunk = 4096,
};
static const struct release_plan new_release = {
	.site = "site", .version = "1.1.0", .hardware = "door", .channel = "stable", .kind = 1, .chip = 5,
	.sequence = 2, .counter = {0, 1}, .signer = 2, .chunk = 8192,
};
static const struct release_plan old_again = {
	.site = "site", .version = "1.0.0", .hardware = "door", .channel = "stable", .kind = 1, .chip = 5,
	.sequence = 3, .counter = {0, 1}, .signer = 2, .chunk = 4096,
};
static const struct site_plan second_site = {
	.epoch = 2, .release_key = 2, .root = 1, .signer = {1, 0},
	.endpoint = "127.0.0.1:8123", .update = "update.site",
};

/* A story: how it begins, and which image stands at its end. */
struct story {
	const char *name;
	void (*begin)(struct world *w);
	struct tb_bytes end;
	uint64_t sequence; /* at its end */
	bool works;        /* the application of the beginning of the story says that it works */
};

/* One start of the chip; true when the story is over. */
static bool live(struct world *w, const struct story *s) {
	if (!world_power_on(w)) {
		world_load(w, 20);
		return false;
	}
	assert(world_holds(w, old) || world_holds(w, fresh));
	if (world_holds(w, s->end)) {
		world_confirm(w);
		return true;
	}
	if (s->works)
		world_return(w);
	return false;
}

static void live_on(struct world *w, const struct story *s) {
	for (int starts = 0; starts < STARTS_MOST; starts++)
		if (live(w, s))
			return;
	assert(!"the board does not come to the end of the story");
}

static void begin_first(struct world *w) {
	world_init(w);
	world_offer(w, &new_release, fresh);
}

static void begin_update(struct world *w) {
	const struct story first = {"", begin_first, old, 1, true};

	world_init(w);
	world_offer(w, &old_release, old);
	live_on(w, &first);
	world_return(w);
	world_offer(w, &new_release, fresh);
	world_publish(w, &second_site);
}

static void begin_resumed(struct world *w) {
	begin_update(w);
	w->server.breaks_after = 30000;
	assert(!world_load(w, 1) && w->board.state.phase == TB_EMPTY && w->server.sent > 20000);
}

/* The new application is there and runs, and will not say that it works. */
static void begin_back(struct world *w) {
	begin_update(w);
	assert(world_load(w, 20) && world_holds(w, fresh));
	world_offer(w, &old_again, old);
}

static const struct story stories[] = {
	{"first install", begin_first, {new_image, SIZE_NEW}, 2, true},
	{"update", begin_update, {new_image, SIZE_NEW}, 2, true},
	{"resumed update", begin_resumed, {new_image, SIZE_NEW}, 2, true},
	{"step back", begin_back, {old_image, SIZE_OLD}, 3, false},
};

/* What must hold at every start, whatever happened before. */
static void check(struct world *w, const struct tb_state *before) {
	struct tb_state now;
	enum tb_result r = store_load(&w->board.store, &now);

	assert(before->serial == 0 || r == TB_OK); /* half of the very first record looks like a loss */
	assert(now.sequence >= before->sequence && now.counter.count >= before->counter.count && now.proven >= before->proven);
	if (world_power_on(w))
		assert(world_holds(w, old) || world_holds(w, fresh));
}

static void check_end(struct world *w, const struct story *s) {
	struct tb_state now;

	assert(world_holds(w, s->end) && store_load(&w->board.store, &now) == TB_OK);
	assert(now.phase == TB_CONFIRMED && now.sequence == s->sequence && now.starts == 0);
	assert(world_power_on(w) && world_holds(w, s->end));
}

/* How many operations the story takes, from its beginning. */
static long operations(const struct story *s) {
	static struct world w;

	s->begin(&w);
	w.nor.operations = 0;
	live_on(&w, s);
	check_end(&w, s);
	return w.nor.operations;
}

/*
 * Lives the story from a beginning; power fails at operation `cut`, and where again
 * is not below 0, once more so many operations later. Returns how often it failed.
 */
static int cut_at(const struct world *beginning, const struct story *s, long cut, long again, enum tear tear) {
	static struct world w;
	static struct tb_state before;
	static volatile int failures;

	w = *beginning;
	world_wire(&w);
	(void)store_load(&beginning->board.store, &before);
	w.nor.operations = 0;
	w.nor.cut = cut;
	w.nor.tear = tear;
	w.nor.seed = (uint32_t)(cut * 7919 + again * 104729 + 1);
	failures = 0;
	if (setjmp(w.nor.power) != 0) {
		failures++;
		w.nor.cut = failures == 1 && again >= 0 ? w.nor.operations + again : -1;
		check(&w, &before);
	}
	live_on(&w, s);
	w.nor.cut = -1;
	check_end(&w, s);
	return failures;
}

static long run(const struct story *s) {
	static struct world beginning;
	long total = operations(s), cuts = 0;

	s->begin(&beginning);
	for (long cut = 0; cut < total; cut++) {
		for (int tear = TEAR_NONE; tear < TEARS; tear++)
			cuts += cut_at(&beginning, s, cut, -1, (enum tear)tear);
		for (long again = 0; again < 4; again++)
			cuts += cut_at(&beginning, s, cut, again * again * 3, TEAR_PART);
	}
	printf("power: %-14s %4ld operations, %5ld cuts, 0 bricks\n", s->name, total, cuts);
	return cuts;
}

int main(void) {
	long cuts = 0;

	make_image(old_image, SIZE_OLD, 1);
	make_image(new_image, SIZE_NEW, 2);
	for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
		cuts += run(&stories[i]);
	printf("power: %ld cuts in all\n", cuts);
	return cuts < 5000;
}
