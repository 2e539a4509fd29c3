/* The streams to the image server, by the credential that is held when one is opened. */
#include "board.h"
#include "credential.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"

static struct tb_network streams;

static enum tb_result connect_by_held(void *context, const struct tb_peer *peer, uint32_t limit) {
	const struct credential *held = credential_held();
	struct chip_identity *own = context;

	if (held == NULL)
		return TB_NETWORK;
	own->certificate = held->certificate;
	own->key = held->key;
	return streams.connect(own, peer, limit);
}

struct tb_network tls_network(void) {
	static struct chip_identity own;
	struct tb_network n;

	own = (struct chip_identity){.servers_root = site_servers_root(), .silence = CONFIG_TCPBOOT_SILENCE * 1000};
	n = streams = chip_network(&own);
	n.join = network_join;
	n.connect = connect_by_held;
	return n;
}
