#include "renew.h"

#include "http.h"

enum { TRIES = 3, CERTIFICATE_LIMIT = 30000 /* milliseconds */ };

static void say(struct tb_board *board, enum tb_event event, enum tb_result why, uint64_t number) {
	board->log.say(board->log.context, event, why, number);
}

/* What lies in both slots, and which is the newer one. */
struct slots {
	struct tb_slot slot[2];
	unsigned newer;
	bool trial; /* there are two */
};

static struct slots look(struct tb_board *board) {
	const struct tb_credentials *c = &board->credentials;
	struct slots s;

	for (unsigned i = 0; i < 2; i++)
		s.slot[i] = c->look(c->context, i);
	s.newer = s.slot[1].generation > s.slot[0].generation;
	s.trial = s.slot[!s.newer].generation > 0;
	return s;
}

static void drop(struct tb_board *board, unsigned which, enum tb_event event, uint64_t number) {
	bool dropped = board->credentials.drop(board->credentials.context, which);

	say(board, event, dropped ? TB_OK : TB_FLASH, number);
}

void renew_choose(struct tb_board *board) {
	const struct tb_credentials *c = &board->credentials;
	struct slots s;
	bool again = board->unheard;

	board->wanted = false;
	board->unheard = true;
	if (c->look == NULL)
		return;
	s = look(board);
	if (!s.trial)
		board->credential = (uint8_t)s.newer;
	else if (again)
		board->credential = !board->credential;
	else
		board->credential = s.slot[s.newer].tries < TRIES ? (uint8_t)s.newer : !s.newer;
	if (s.trial && board->credential == s.newer && s.slot[s.newer].tries < TRIES)
		(void)c->count(c->context, s.newer); /* not counted, it is one more try */
	c->use(c->context, board->credential);
}

void renew_reached(struct tb_board *board) {
	struct slots s;

	board->unheard = false;
	if (board->credentials.look == NULL)
		return;
	s = look(board);
	if (!s.trial)
		return;
	if (board->credential == s.newer) {
		drop(board, !s.newer, TB_RENEWED, s.slot[s.newer].tries);
	} else if (s.slot[s.newer].tries >= TRIES) {
		drop(board, s.newer, TB_RENEWAL_DROPPED, s.slot[s.newer].tries);
		board->rests = true;
	}
}

/* The answer is put where the request was: in the room for the next site document. */
static enum tb_result ask(struct tb_board *board, const struct tb_peer *peer, unsigned which) {
	const struct tb_credentials *c = &board->credentials;
	uint8_t *room = board->document[!board->held].bytes;
	struct http_request q = {.method = "POST", .type = "pkcs10", .body = {room, 0}};
	struct http_head h;
	enum tb_result r;

	q.target = (struct tb_bytes){(const uint8_t *)"/v2/renew", 9};
	q.body.size = c->request(c->context, which, room, TB_MAX_REQUEST);
	if (q.body.size == 0)
		return TB_FLASH;
	r = http_ask(board, peer, &q, &h);
	if (r != TB_OK)
		return r;
	if (h.status == 202)
		return TB_LATER;
	if (h.status != 200 || h.length > TB_MAX_CERTIFICATE)
		return TB_PROTOCOL;
	r = http_read(board, room, h.length, CERTIFICATE_LIMIT);
	if (r == TB_OK && !c->keep(c->context, which, (struct tb_bytes){room, h.length}))
		r = TB_INVALID;
	return r;
}

bool renew(struct tb_board *board, const struct tb_peer *peer) {
	unsigned spare = !board->credential;
	struct slots s;
	enum tb_result r;

	if (board->credentials.look == NULL) {
		if (board->wanted)
			say(board, TB_RENEWAL_WANTED, TB_NOTHING, 0);
		return false;
	}
	s = look(board);
	if (s.trial || board->rests || !(board->wanted || s.slot[spare].begun))
		return false;
	r = ask(board, peer, spare);
	say(board, TB_RENEWAL_WANTED, r, 0);
	if (r == TB_INVALID)
		drop(board, spare, TB_RENEWAL_DROPPED, 0);
	board->rests = r != TB_OK && r != TB_LATER && r != TB_NETWORK;
	return r == TB_OK;
}
