#include "renew.h"

#include <string.h>

#include "http.h"
#include "sites.h"
#include "words.h"

enum {
	TRIES = TB_MAX_ENDPOINTS, /* a server that is down is no fault of the credential: one for each */
	CERTIFICATE_LIMIT = 30000, /* milliseconds */
};

static void say(struct tb_board *board, enum tb_event event, enum tb_result why, uint64_t number) {
	board->log.say(board->log.context, event, why, number);
}

/* Where the board stands, by what lies in its slots. */
struct stand {
	unsigned newer; /* the slot */
	unsigned tries; /* of it */
	bool trial;     /* there are two credentials */
	bool begun;     /* there is a key without a certificate */
};

static void look(const struct tb_board *board, struct stand *s) {
	const struct tb_credentials *c = &board->credentials;
	struct tb_credential a, b;

	memset(s, 0, sizeof *s);
	if (c->look == NULL)
		return;
	a = c->look(c->context, 0);
	b = c->look(c->context, 1);
	s->newer = b.generation > a.generation;
	s->tries = s->newer ? b.tries : a.tries;
	s->trial = a.generation > 0 && b.generation > 0;
	s->begun = a.begun || b.begun;
}

static void drop(struct tb_board *board, unsigned which, enum tb_event event, uint64_t number) {
	bool dropped = board->credentials.drop(board->credentials.context, which);

	say(board, event, dropped ? TB_OK : TB_FLASH, number);
}

void renew_choose(struct tb_board *board) {
	const struct tb_credentials *c = &board->credentials;
	struct stand s;
	bool older;

	look(board, &s);
	older = s.trial && s.tries >= TRIES && board->visits / site_held(board)->endpoints % 2 == 0;
	board->wanted = false;
	if (c->look == NULL)
		return;
	if (s.trial && !older && s.tries < TRIES)
		(void)c->count(c->context, s.newer); /* not counted, it is one more try */
	board->credential = (uint8_t)(s.newer ^ older);
	c->use(c->context, board->credential);
}

void renew_reached(struct tb_board *board) {
	struct stand s;

	look(board, &s);
	if (s.trial && board->credential == s.newer) {
		drop(board, !s.newer, TB_RENEWED, s.tries);
	} else if (s.trial && s.tries >= TRIES) {
		drop(board, s.newer, TB_RENEWAL_DROPPED, s.tries);
		board->rests = true;
	}
}

/* The answer is put where the request was: in the room for the next site document. */
static enum tb_result ask(struct tb_board *board, unsigned which) {
	const struct tb_credentials *c = &board->credentials;
	uint8_t *room = sites_spare(board)->bytes;
	struct http_request q = {.method = "POST", .type = "pkcs10", .body = {room, 0}};
	struct http_head h;
	enum tb_result r;

	q.target = text_of("/v2/renew");
	q.body.size = c->request(c->context, which, room, TB_MAX_REQUEST);
	if (q.body.size == 0)
		return TB_FLASH;
	r = http_ask(board, &q, &h);
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

bool renew(struct tb_board *board) {
	unsigned spare = !board->credential;
	enum tb_result r = TB_NOTHING;
	struct stand s;

	look(board, &s);
	if (s.trial || board->rests || !(board->wanted || s.begun))
		return false;
	if (board->credentials.look != NULL)
		r = ask(board, spare);
	say(board, TB_RENEWAL_WANTED, r, 0);
	if (r == TB_INVALID)
		drop(board, spare, TB_RENEWAL_DROPPED, 0);
	board->rests = r != TB_OK && r != TB_LATER && r != TB_NETWORK;
	return r == TB_OK;
}
