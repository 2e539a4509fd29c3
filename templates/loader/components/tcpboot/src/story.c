/* The story that tcpboot.h tells. */
#include <string.h>

#include "install.h"
#include "peers.h"
#include "renew.h"
#include "sites.h"
#include "store.h"
#include "words.h"

/* Bounds of patience. */
enum {
	DOCUMENT_LIMIT = 30000, /* milliseconds, for one document */
	WAIT_FIRST = 2000,      /* milliseconds after the first failed visit, doubled by each */
	WAIT_DOUBLED = 8,       /* times */
	WAIT_MOST = 600000,     /* milliseconds */
	ASKS = 8,               /* hellos in one visit: each but the last taught something */
	VISITS = 5,             /* failed ones in a row, then the application that is there is started */
	TRIES = 3,              /* failed installs of one release */
	STARTS = 3,             /* of an application that does not confirm itself */
	BOOT_MOST = 15 * TB_MAX_DOCUMENT + TB_MAX_MANIFEST, /* bytes of an answer to a hello */
	TARGET = 512,           /* bytes of a request's target */
	REPORT = 4 + TB_DIGEST + 4,
};

static void say(struct tb_board *board, enum tb_event event, enum tb_result why, uint64_t number) {
	board->log.say(board->log.context, event, why, number);
}

static enum tb_result save(struct tb_board *board) {
	enum tb_result r = store_save(&board->store, &board->state);

	if (r != TB_OK)
		say(board, TB_STORE_FAILED, r, board->state.serial);
	return r;
}

/* ---- what is in the slot ---- */

static struct tb_bytes manifest_bytes(const struct tb_board *board) {
	return (struct tb_bytes){board->manifest, board->manifest_size};
}

/* Reads the manifest at hand, and takes its digest. */
static bool read_manifest(struct tb_board *board, struct manifest *m, uint8_t digest[TB_DIGEST]) {
	struct cose_message message;

	if (board->manifest_size == 0 || manifest_read(manifest_bytes(board), &message, m) != TB_OK)
		return false;
	sha256(&board->crypto, board->manifest, board->manifest_size, digest);
	return true;
}

static bool is_named(struct tb_board *board, struct manifest *m) {
	uint8_t digest[TB_DIGEST];

	return read_manifest(board, m, digest) && digests_equal(digest, board->state.manifest);
}

/* Reads the manifest that the state names: it is at hand, or stored. */
static bool named_manifest(struct tb_board *board, struct manifest *m) {
	bool found = is_named(board, m);

	for (unsigned i = 0; i < STORE_MANIFESTS && !found; i++) {
		board->manifest_size = store_manifest(&board->store, i, board->manifest);
		found = is_named(board, m);
	}
	return found;
}

static bool may_start(const struct tb_board *board) {
	return board->state.phase == TB_CONFIRMED || (board->state.phase == TB_WHOLE && board->state.starts < STARTS);
}

/* ---- reports ---- */

static enum tb_cause cause_of(enum tb_result r) {
	switch (r) {
	case TB_NETWORK:
	case TB_LATER:
		return TB_CAUSE_NETWORK;
	case TB_MISMATCH:
		return TB_CAUSE_CORRUPT;
	case TB_FLASH:
		return TB_CAUSE_FLASH;
	case TB_BAD_IMAGE:
		return TB_CAUSE_INVALID;
	case TB_UNCONFIRMED:
		return TB_CAUSE_UNCONFIRMED;
	default:
		return TB_CAUSE_REFUSED;
	}
}

/* Owes the server a report, once of the same. It is stored with the state. */
static bool owe(struct tb_board *board, const uint8_t manifest[TB_DIGEST], enum tb_outcome outcome, enum tb_cause cause) {
	struct tb_state *s = &board->state;

	if (digests_equal(s->about, manifest) && s->outcome == outcome && s->cause == cause)
		return false;
	digest_copy(s->about, manifest);
	s->of_loader = board->updates;
	s->outcome = (uint8_t)outcome;
	s->cause = (uint8_t)cause;
	s->owed = true;
	return true;
}

/* {1: manifest, 2: outcome, ? 3: cause}; the numbers are small. */
static size_t put_report(const struct tb_state *s, uint8_t to[REPORT]) {
	static const uint8_t head[] = {0xa2, 0x01, 0x58, TB_DIGEST};
	size_t n = sizeof head;

	memcpy(to, head, n);
	digest_copy(to + n, s->about);
	n += TB_DIGEST;
	to[n++] = 2;
	to[n++] = s->outcome;
	if (s->cause == TB_CAUSE_NONE)
		return n;
	to[0]++;
	to[n++] = 3;
	to[n++] = s->cause;
	return n;
}

/* Makes the report that is owed. What the server did not take is still owed. */
static enum tb_result report(struct tb_board *board) {
	struct tb_bytes path = text_of("/v2/report");
	uint8_t body[REPORT];
	struct http_head h;
	enum tb_result r;
	size_t size;

	if (!board->state.owed)
		return TB_OK;
	size = put_report(&board->state, body);
	r = http_ask(board, &(struct http_request){"POST", path, 0, {body, size}, "cbor"}, &h);
	if (r != TB_OK)
		return r;
	board->state.owed = false;
	(void)save(board); /* if it is lost, the server hears the same again */
	return TB_OK;
}

/*
 * Makes the report before another takes its place. One that the server will not have,
 * as of a release that it has no more, is in nobody's way.
 */
static enum tb_result report_first(struct tb_board *board) {
	enum tb_result r = report(board);

	return r == TB_NETWORK || r == TB_LATER ? r : TB_OK;
}

/* ---- hello ---- */

/*
 * The sequence that a release must be above, in the generation of the floor. When
 * nothing whole is in the slot, the one installed last may come again: it was
 * overwritten, or it decayed.
 */
static uint64_t sequence(const struct tb_board *board) {
	const struct tb_state *s = &board->state;

	if (board->updates || s->counter.generation < board->build.counter.generation)
		return 0; /* of loaders the version counts; and what a generation begins with may have any */
	return s->sequence > 0 && s->phase == TB_EMPTY ? s->sequence - 1 : s->sequence;
}

static struct tb_counter higher(struct tb_counter a, struct tb_counter b) {
	return counter_compare(a, b) < 0 ? b : a;
}

static struct tb_counter floor_of(const struct tb_board *board) {
	return higher(board->state.counter, board->build.counter);
}

/* Names need no escapes. */
static void write_hello(struct tb_board *board, struct writer *w) {
	struct tb_counter counter = floor_of(board);
	const uint16_t *loader = board->state.loader;
	struct manifest running;

	write_format(w, "/v2/boot?chip=esp32%s&loader=%u.%u.%u&channel=%s&counter=%u.%u&epoch=", chip_suffix(board->build.chip),
	             loader[0], loader[1], loader[2], board->build.channel, (unsigned)counter.generation, (unsigned)counter.count);
	write_number(w, site_held(board)->epoch);
	write_text(w, "&sequence=");
	write_number(w, sequence(board));
	if (board->state.phase != TB_EMPTY && named_manifest(board, &running)) {
		write_text(w, "&version=");
		write_bytes(w, running.version);
	}
	if (board->updates)
		write_text(w, "&kind=loader");
}

/* ---- documents ---- */

/* The documents of an answer as they come, in the room for the next site document. */
struct inflow {
	uint8_t *at;
	size_t size;
};

static enum tb_result fill(struct tb_board *board, struct inflow *in) {
	size_t n = TB_MAX_DOCUMENT - in->size;
	enum tb_result r;

	if (n > board->stream.body)
		n = board->stream.body;
	r = http_read(board, in->at + in->size, n, DOCUMENT_LIMIT);
	in->size += n;
	return r;
}

/* Takes the site document at the front; what is behind it moves to the other room. */
static enum tb_result take_site(struct tb_board *board, struct inflow *in) {
	struct cursor c = {in->at, in->at + in->size};
	enum tb_result r = sites_learn(board, &c);

	if (r != TB_OK)
		return r;
	in->at = sites_spare(board)->bytes;
	in->size = cursor_left(&c);
	memcpy(in->at, c.at, in->size);
	return TB_OK;
}

/* Takes the manifest, behind which there is nothing. */
static enum tb_result take_manifest(struct tb_board *board, struct inflow *in) {
	if (in->size > TB_MAX_MANIFEST || board->stream.body > 0)
		return TB_TOO_LONG;
	memcpy(board->manifest, in->at, in->size);
	board->manifest_size = in->size;
	in->size = 0;
	return TB_OK;
}

static enum tb_result take_documents(struct tb_board *board) {
	struct inflow in = {sites_spare(board)->bytes, 0};
	enum tb_result r;

	while ((r = fill(board, &in)) == TB_OK && in.size > 0) {
		r = in.at[0] == 0xd2 ? take_manifest(board, &in) : take_site(board, &in);
		if (r != TB_OK)
			break;
	}
	return r;
}

/* The first answer of a visit proves the document and the credential by which the board came there. */
static void judge_site(struct tb_board *board, enum tb_result r) {
	if (r == TB_NETWORK || r == TB_REFUSED) {
		sites_missed(board);
	} else {
		sites_reached(board);
		renew_reached(board);
	}
}

/* Asks once; *learned and manifest_size say what came. */
static enum tb_result hello(struct tb_board *board, bool first, bool *learned) {
	uint64_t epoch = site_held(board)->epoch;
	uint8_t text[TARGET];
	struct writer target = {text, 0, sizeof text, false};
	struct http_head h;
	enum tb_result r, stored;

	write_hello(board, &target);
	board->manifest_size = 0;
	*learned = false;
	r = http_ask(board, &(struct http_request){"GET", {text, target.size}, 0, {NULL, 0}, NULL}, &h);
	if (first)
		judge_site(board, r);
	if (r != TB_OK)
		return r;
	board->wanted = h.renew;
	if (h.length == 0)
		return r;
	if (h.length > BOOT_MOST || h.ranged)
		return TB_PROTOCOL;
	r = take_documents(board);
	*learned = site_held(board)->epoch > epoch;
	if (!*learned)
		return r;
	stored = sites_store(board);
	return r == TB_OK ? stored : r;
}

/* Asks until there is a manifest, or nothing more to learn. */
static enum tb_result ask(struct tb_board *board) {
	bool learned = true;
	enum tb_result r = TB_OK;

	for (int i = 0; i < ASKS && r == TB_OK && learned; i++) {
		r = hello(board, i == 0, &learned);
		if (r == TB_OK && board->manifest_size > 0)
			return TB_OK;
	}
	return r == TB_OK ? TB_NOTHING : r;
}

/* ---- decide ---- */

/* The fields are those of release.Board in Go. */
static struct judge own_view(struct tb_board *board) {
	struct judge j = {
		.kind = board->updates ? KIND_LOADER : KIND_FIRMWARE,
		.site = site_held(board)->name,
		.hardware = text_of(board->build.hardware),
		.chip = board->build.chip,
		.channel = text_of(board->build.channel),
		.sequence = sequence(board),
	};

	if (!board->updates)
		j.counter = floor_of(board); /* it is of applications */
	memcpy(j.loader, board->state.loader, sizeof j.loader);
	return j;
}

static bool given_up(const struct tb_board *board, const uint8_t digest[TB_DIGEST]) {
	return board->state.failures >= TRIES && digests_equal(board->state.tried, digest);
}

static enum tb_result decide(struct tb_board *board, struct manifest *m, uint8_t digest[TB_DIGEST]) {
	struct judge j = own_view(board);
	struct cose_message message;
	enum tb_result r = manifest_read(manifest_bytes(board), &message, m);

	sha256(&board->crypto, board->manifest, board->manifest_size, digest);
	if (r == TB_OK)
		r = manifest_verify(&message, m, &board->crypto, site_held(board));
	if (r == TB_OK)
		r = manifest_judge(m, &j);
	if (r == TB_OK && given_up(board, digest))
		r = TB_GIVEN_UP;
	return r;
}

/* ---- install ---- */

/* Whether place `which` of the store holds the manifest with that digest. */
static bool is_stored(struct tb_board *board, unsigned which, const uint8_t digest[TB_DIGEST]) {
	uint8_t *room = sites_spare(board)->bytes;
	size_t size = store_manifest(&board->store, which, room);

	return size > 0 && sha256_is(&board->crypto, room, size, digest);
}

/* Stores the manifest beside the one that the state names, before it names this one. */
static enum tb_result keep_manifest(struct tb_board *board, const uint8_t digest[TB_DIGEST]) {
	if (board->store.size < TB_STORE_SIZE || is_stored(board, 0, digest) || is_stored(board, 1, digest))
		return TB_OK;
	return store_put_manifest(&board->store, is_stored(board, 0, board->state.manifest), manifest_bytes(board));
}

/*
 * The moment from which the old application is gone. From here on nothing starts
 * before the new one is whole: the state says so first, then the bootloader.
 */
static enum tb_result let_go(struct tb_board *board, const uint8_t digest[TB_DIGEST]) {
	struct tb_state *s = &board->state, before = *s;
	enum tb_result r = keep_manifest(board, digest);

	if (r != TB_OK)
		return r;
	s->phase = TB_EMPTY;
	s->starts = 0;
	digest_copy(s->manifest, digest);
	if ((r = save(board)) == TB_OK)
		return board->boot.deactivate(board->boot.context);
	*s = before; /* the old one is whole, and with a store that is worn out it is all there is */
	return r;
}

/* The moment at which the new application counts: before it can run. */
static enum tb_result count(struct tb_board *board, const struct manifest *m, const uint8_t digest[TB_DIGEST]) {
	struct tb_state *s = &board->state;
	enum tb_result r = keep_manifest(board, digest);

	if (r != TB_OK)
		return r;
	s->phase = TB_WHOLE;
	s->starts = 0;
	s->failures = 0;
	s->sequence = manifest_sequence(m, text_of(board->build.channel));
	s->counter = m->counter; /* not below any before: it was judged */
	digest_copy(s->manifest, digest);
	(void)owe(board, digest, TB_SAYS_ACTIVATED, TB_CAUSE_NONE);
	return save(board);
}

/* What may come right by itself is no fault of the release. */
static bool counts_as_failure(enum tb_result r) {
	return r == TB_MISMATCH || r == TB_FLASH || r == TB_BAD_IMAGE;
}

/* Counts a failure of the release. An image that the chip would not start is so at every try. */
static void fail(struct tb_board *board, const uint8_t digest[TB_DIGEST], enum tb_result why) {
	struct tb_state *s = &board->state;

	if (!digests_equal(s->tried, digest))
		s->failures = 0;
	digest_copy(s->tried, digest);
	s->failures = why == TB_BAD_IMAGE || why == TB_UNCONFIRMED ? TRIES : (uint8_t)(s->failures + 1);
	if (s->failures >= TRIES)
		(void)owe(board, digest, TB_SAYS_FAILED, cause_of(why));
	say(board, TB_INSTALL_FAILED, why, s->failures);
	(void)save(board);
}

static void refuse(struct tb_board *board, const uint8_t digest[TB_DIGEST], enum tb_result why) {
	say(board, TB_MANIFEST_REFUSED, why, 0);
	if (why != TB_GIVEN_UP && owe(board, digest, TB_SAYS_FAILED, TB_CAUSE_REFUSED))
		(void)save(board);
}

/* ---- the update of a loader ---- */

/* The moment from which the old loader is gone: the application stays, whatever comes. */
static enum tb_result stand_in(struct tb_board *board, const uint8_t digest[TB_DIGEST]) {
	enum tb_result r = board->boot.deactivate(board->boot.context);

	(void)digest;
	if (r == TB_OK)
		r = tb_confirm(&board->store);
	if (r != TB_OK && r != TB_NOTHING) /* an application that came by cable is known to the chip alone */
		return r;
	return store_load(&board->store, &board->state);
}

/*
 * The moment at which the new loader is what starts. There is room for one report:
 * what is owed of the application is said first, or all of this comes again.
 */
static enum tb_result hand_over(struct tb_board *board, const uint8_t digest[TB_DIGEST]) {
	enum tb_result r = report_first(board);

	if (r != TB_OK)
		return r;
	(void)owe(board, digest, TB_SAYS_ACTIVATED, TB_CAUSE_NONE);
	r = save(board);
	if (r == TB_OK)
		r = board->boot.activate(board->boot.context);
	board->updated = r == TB_OK;
	return r;
}

/* Another loader runs than before: if the last report is that it was activated, it works. */
static void note_loader(struct tb_board *board) {
	struct tb_state *s = &board->state;

	if (memcmp(s->loader, board->build.loader, sizeof s->loader) == 0)
		return;
	if (s->of_loader && s->outcome == TB_SAYS_ACTIVATED)
		s->of_loader = owe(board, s->about, TB_SAYS_CONFIRMED, TB_CAUSE_NONE);
	memcpy(s->loader, board->build.loader, sizeof s->loader);
	(void)save(board);
}

static enum tb_result carry_out(struct tb_board *board, const struct manifest *m, const uint8_t digest[TB_DIGEST]) {
	enum tb_result r;

	r = install(board, &m->image, digest, board->updates ? stand_in : let_go);
	if (r == TB_OK)
		r = board->updates ? hand_over(board, digest) : count(board, m, digest);
	if (r == TB_OK)
		say(board, TB_INSTALLED, TB_OK, m->image.size);
	else if (counts_as_failure(r))
		fail(board, digest, r);
	return r;
}

/* ---- a visit ---- */

/* There is nothing more to do about a manifest that is not for this board. */
static enum tb_result obey(struct tb_board *board) {
	uint8_t digest[TB_DIGEST];
	struct manifest m;
	enum tb_result r = decide(board, &m, digest);
	bool refused = r != TB_OK;

	if (!refused)
		r = carry_out(board, &m, digest);
	if (!refused && r != TB_OTHER_BOARD)
		return r;
	refuse(board, digest, r);
	return TB_OK;
}

/* TB_OK: everything was done that there was to do, and be it nothing. */
static enum tb_result visit(struct tb_board *board) {
	enum tb_result r;

	renew_choose(board);
	r = peers_join(board);
	if (r != TB_OK) {
		sites_missed(board);
		return r;
	}
	if (board->state.of_loader && (r = report_first(board)) != TB_OK) {
		judge_site(board, r);
		return r; /* by it the server knows which images this loader takes */
	}
	r = ask(board);
	if (r == TB_NETWORK || r == TB_REFUSED)
		return r; /* nor would the server hear a report */
	(void)report(board); /* there is room for one: what is owed of the old application goes first */
	if (r == TB_OK)
		r = obey(board);
	else if (r == TB_NOTHING)
		say(board, TB_NOTHING_NEW, r = TB_OK, 0);
	(void)report(board);
	return r;
}

/* ---- the end of a round ---- */

/* An application that had its starts and never said that it works has failed, once. */
static void judge_application(struct tb_board *board) {
	struct tb_state *s = &board->state;

	if (s->phase != TB_WHOLE || s->starts != STARTS)
		return;
	s->starts++; /* what fails after it is counted by itself */
	fail(board, s->manifest, TB_UNCONFIRMED);
}

/* Whether the chip will start what is in the slot, and that is what the state says. */
static enum tb_result look_at_slot(struct tb_board *board) {
	struct manifest m;

	if (board->state.phase == TB_EMPTY)
		return TB_NOTHING;
	if (!may_start(board))
		return TB_UNCONFIRMED;
	if (!named_manifest(board, &m) || !slot_holds(board, &m.image))
		return TB_MISMATCH;
	return board->boot.check(board->boot.context);
}

/* Nothing whole is in the slot, whatever was thought: the same release may come again. */
static void lose_application(struct tb_board *board) {
	board->state.phase = TB_EMPTY;
	(void)save(board);
}

/* The moment at which the application starts, at the next start of the chip. */
static bool start(struct tb_board *board) {
	struct tb_state *s = &board->state;
	enum tb_result r = look_at_slot(board);

	if (r == TB_MISMATCH || r == TB_BAD_IMAGE)
		lose_application(board);
	if (r == TB_OK && s->phase == TB_WHOLE) {
		s->starts++;
		(void)save(board); /* a start that is not counted is better than none */
	}
	if (r == TB_OK)
		r = board->boot.activate(board->boot.context);
	say(board, r == TB_OK ? TB_STARTED : TB_STAYS, r, s->starts);
	return r == TB_OK;
}

/* Half of the time is left to chance, so that boards that fail together do not come back together. */
static uint32_t about(struct tb_board *board, uint32_t milliseconds) {
	return milliseconds / 2 + board->clock.random(board->clock.context) % (milliseconds / 2 + 1);
}

static uint32_t back_off(struct tb_board *board) {
	uint32_t doubled = board->visits > WAIT_DOUBLED ? WAIT_DOUBLED : board->visits - 1;
	uint32_t wait = (uint32_t)WAIT_FIRST << doubled; /* 512 s at most */

	return about(board, wait);
}

enum tb_next tb_round(struct tb_board *board, uint32_t *wait) {
	enum tb_result r;

	judge_application(board);
	r = visit(board);
	if (r == TB_OK && renew(board)) { /* it is tried while the old one is known to work */
		http_close(board);
		r = visit(board);
	}
	http_close(board);
	*wait = 0;
	if (r == TB_OK) {
		board->visits = 0;
		if (start(board))
			return TB_START;
		*wait = about(board, WAIT_MOST);
		return TB_AGAIN;
	}
	board->visits++;
	say(board, TB_VISIT_FAILED, r, board->visits);
	if (board->visits >= VISITS && may_start(board) && start(board))
		return TB_START;
	*wait = back_off(board);
	return TB_AGAIN;
}

void tb_run(struct tb_board *board) {
	uint32_t wait;

	while (tb_round(board, &wait) != TB_START)
		board->clock.sleep(board->clock.context, wait);
}

/* ---- the beginning ---- */

/* A sequence of another channel means nothing in this one. */
static void take_channel(struct tb_board *board) {
	struct tb_state *s = &board->state;

	if (bytes_are(text_of((const char *)s->channel), board->build.channel))
		return;
	memset(s->channel, 0, sizeof s->channel);
	bytes_to_text(text_of(board->build.channel), (char *)s->channel, sizeof s->channel);
	s->sequence = 0;
}

/*
 * After a loss, what is known of the past are the manifests that were kept. The one
 * whose image is in the slot is in force: one above it was on its way, and may still
 * come. When none is, nothing below the highest may.
 */
static void recover(struct tb_board *board) {
	struct tb_state *s = &board->state;
	uint8_t digest[TB_DIGEST];
	struct manifest m;

	for (unsigned i = 0; i < STORE_MANIFESTS; i++) {
		uint64_t sequence;
		bool whole, known = s->phase == TB_WHOLE;
		int above;

		board->manifest_size = store_manifest(&board->store, i, board->manifest);
		if (!read_manifest(board, &m, digest))
			continue;
		sequence = manifest_sequence(&m, text_of(board->build.channel));
		above = counter_compare(m.counter, s->counter);
		whole = slot_holds(board, &m.image);
		if (whole == known ? above < 0 || (above == 0 && sequence <= s->sequence) : known)
			continue; /* the one before says more */
		s->counter = m.counter;
		s->sequence = sequence;
		if (!whole)
			continue;
		digest_copy(s->manifest, digest);
		s->phase = TB_WHOLE;
	}
	(void)save(board);
}

/* Takes up the site document to go by, with nothing else in memory. */
static enum tb_result begin(struct tb_board *board) {
	board->held = 0;
	board->ceiling = 0;
	board->misses = board->farthest = 0;
	board->rests = false;
	board->manifest_size = 0;
	memset(&board->stream, 0, sizeof board->stream);
	return sites_pick(board);
}

enum tb_result tb_open(struct tb_board *board) {
	enum tb_result found = store_load(&board->store, &board->state), r;

	board->visits = 0;
	board->updates = false;
	r = begin(board);
	if (r != TB_OK)
		return r;
	take_channel(board);
	say(board, TB_SITE_USED, TB_OK, site_held(board)->epoch);
	if (board->store.size < TB_STORE_SIZE)
		say(board, TB_STORE_MISSING, TB_NOTHING, 0);
	else if (found == TB_NOTHING)
		say(board, TB_STORE_NEW, TB_OK, 0);
	else if (found == TB_FLASH)
		say(board, TB_STORE_LOST, TB_FLASH, 0);
	if (found == TB_FLASH)
		recover(board);
	note_loader(board);
	return TB_OK;
}

/* ---- an application's visit ---- */

enum tb_result tb_update_loader(struct tb_board *board) {
	enum tb_result r;

	if (store_load(&board->store, &board->state) != TB_OK)
		return TB_NOTHING;
	board->build.channel = (const char *)board->state.channel;
	board->updates = true;
	board->updated = false;
	r = begin(board);
	if (r == TB_OK)
		r = visit(board);
	http_close(board);
	board->visits = r == TB_OK ? 0 : board->visits + 1; /* then another endpoint */
	return r == TB_OK && !board->updated ? TB_NOTHING : r;
}
