#include "peers.h"

#include "sites.h"
#include "words.h"

enum { JOIN_LIMIT = 60000, CONNECT_LIMIT = 30000 }; /* milliseconds */

/* A peer with the room for its names. */
struct address {
	struct tb_peer peer;
	char endpoint[TB_MAX_HOST + 8]; /* a host or "[address]", ':', 5 digits, and the end */
	char name[TB_MAX_HOST + 1];
};

/* A document's names fit: they were judged. */
static void set_address(struct address *a, struct tb_bytes endpoint, struct tb_bytes name,
                        const uint8_t *const *issuer, size_t issuers) {
	bytes_to_text(endpoint, a->endpoint, sizeof a->endpoint);
	bytes_to_text(name, a->name, sizeof a->name);
	a->peer = (struct tb_peer){a->endpoint, a->name, issuer, issuers};
}

enum tb_result peers_join(struct tb_board *board) {
	const struct tb_site *s = site_held(board);
	struct address a;

	set_address(&a, (struct tb_bytes){s->radius.at, 0}, s->radius, s->eap_issuer, s->eap_issuers);
	return board->network.join(board->network.context, &a.peer, JOIN_LIMIT);
}

enum tb_result peers_connect(struct tb_board *board) {
	const struct tb_site *s = site_held(board);
	struct address a;

	set_address(&a, s->endpoint[board->visits % s->endpoints], s->update, s->tls_issuer, s->tls_issuers);
	return board->network.connect(board->network.context, &a.peer, CONNECT_LIMIT);
}
