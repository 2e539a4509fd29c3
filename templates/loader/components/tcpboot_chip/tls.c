/*
 * TLS to the image server, with the board's own certificate: one stream at a time.
 *
 * esp_tls_init, _conn_new_sync, _conn_read, _conn_write, _conn_destroy,
 * _get_conn_sockfd, _get_ssl_context, _get_error_handle, _get_and_clear_last_error:
 * 5.1 to 6.x. mbedtls_ssl_get_peer_cert, mbedtls_x509_crt_parse and _verify: Mbed
 * TLS 3.4 to 4, with MBEDTLS_SSL_KEEP_PEER_CERTIFICATE (sdkconfig.defaults).
 */
#include <stdlib.h>
#include <string.h>

#include "esp_tls.h"
#include "lwip/sockets.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"
#include "sdkconfig.h"
#include "tcpboot_chip.h"

static esp_tls_t *tls;

/* ---- whom the board talks to ---- */

/* What is sought in the chain of the server. */
struct search {
	const struct tb_peer *peer;
	bool found;
};

static bool is_named(const struct tb_peer *peer, const mbedtls_x509_crt *issuer) {
	uint8_t digest[TB_DIGEST];
	size_t size;

	if (psa_hash_compute(PSA_ALG_SHA_256, issuer->pk_raw.p, issuer->pk_raw.len, digest, sizeof digest, &size) !=
	    PSA_SUCCESS)
		return false;
	for (size_t i = 0; i < peer->issuers; i++)
		if (memcmp(digest, peer->issuer[i], TB_DIGEST) == 0)
			return true;
	return false;
}

/* Sees each certificate of a chain; the one at depth 1 issued that of the server. */
static int look(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
	struct search *s = context;

	(void)flags;
	if (depth == 1)
		s->found = is_named(s->peer, certificate);
	return 0;
}

/*
 * esp_tls has verified the chain and the name, and lets nobody look on: so the chain
 * is verified once more, to learn which CA stands in it. It may be any that the
 * server sent; what counts is the one that the verified path goes by.
 */
static bool issuer_is_named(const struct tb_peer *peer, struct tb_bytes pem) {
	const mbedtls_x509_crt *sent = mbedtls_ssl_get_peer_cert(esp_tls_get_ssl_context(tls));
	mbedtls_x509_crt root;
	struct search s = {peer, false};
	uint32_t flags;
	bool verified;

	mbedtls_x509_crt_init(&root);
	verified = sent != NULL && mbedtls_x509_crt_parse(&root, pem.at, pem.size) == 0 &&
	           mbedtls_x509_crt_verify((mbedtls_x509_crt *)sent, &root, NULL, peer->name, &flags, look, &s) == 0;
	mbedtls_x509_crt_free(&root);
	return verified && s.found;
}

/* ---- the stream ---- */

static void tls_close(void *context) {
	(void)context;
	if (tls != NULL)
		(void)esp_tls_conn_destroy(tls);
	tls = NULL;
}

/* A server that knows the board's certificate for dead ends the handshake with an alert. */
static enum tb_result why_not(void) {
	esp_tls_error_handle_t last;
	int code = 0, flags;

	if (esp_tls_get_error_handle(tls, &last) == ESP_OK)
		(void)esp_tls_get_and_clear_last_error(last, &code, &flags);
	return code == -MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ? TB_REFUSED : TB_NETWORK;
}

/* Reads "host:port" or "[address]:port"; the host lies in endpoint. */
static bool split(const char *endpoint, const char **host, int *size, int *port) {
	const char *colon = strrchr(endpoint, ':');

	if (colon == NULL)
		return false;
	*port = atoi(colon + 1);
	*host = endpoint;
	*size = (int)(colon - endpoint);
	if (endpoint[0] == '[' && *size > 2) {
		*host += 1;
		*size -= 2;
	}
	return *size > 0 && *port > 0;
}

/* The caller may be less patient than the core. */
static uint32_t patience(const struct chip_identity *own, uint32_t limit) {
	return own->silence > 0 && own->silence < limit ? own->silence : limit;
}

static esp_tls_cfg_t configuration(const struct tb_peer *peer, const struct chip_identity *own, uint32_t limit) {
	return (esp_tls_cfg_t){
		.cacert_buf = own->servers_root.at, .cacert_bytes = own->servers_root.size,
		.clientcert_buf = own->certificate.at, .clientcert_bytes = own->certificate.size,
		.clientkey_buf = own->key.at, .clientkey_bytes = own->key.size,
		.common_name = peer->name, .timeout_ms = (int)patience(own, limit),
	};
}

static enum tb_result tls_connect(void *context, const struct tb_peer *peer, uint32_t limit) {
	const struct chip_identity *own = context;
	enum tb_result r = TB_OK;
	esp_tls_cfg_t config;
	const char *host;
	int size, port;

	if (!split(peer->endpoint, &host, &size, &port) || (tls = esp_tls_init()) == NULL)
		return TB_NETWORK;
	config = configuration(peer, own, limit);
	if (esp_tls_conn_new_sync(host, size, port, &config, tls) != 1)
		r = why_not();
	else if (!issuer_is_named(peer, own->servers_root))
		r = TB_NETWORK;
	if (r != TB_OK)
		tls_close(NULL);
	return r;
}

/* Limits how long the socket waits; esp_tls knows one limit for all that it does. */
static bool set_limit(const struct chip_identity *own, int option, uint32_t limit) {
	uint32_t ms = patience(own, limit);
	struct timeval t = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
	int fd;

	return tls != NULL && esp_tls_get_conn_sockfd(tls, &fd) == ESP_OK &&
	       setsockopt(fd, SOL_SOCKET, option, &t, sizeof t) == 0;
}

static int tls_read(void *context, uint8_t *to, size_t size, uint32_t limit) {
	return set_limit(context, SO_RCVTIMEO, limit) ? (int)esp_tls_conn_read(tls, to, size) : -1;
}

static int tls_write(void *context, const uint8_t *from, size_t size, uint32_t limit) {
	return set_limit(context, SO_SNDTIMEO, limit) ? (int)esp_tls_conn_write(tls, from, size) : -1;
}

struct tb_network chip_network(struct chip_identity *own) {
	return (struct tb_network){own, NULL, tls_connect, tls_read, tls_write, tls_close};
}

uint32_t chip_record(void) {
#if CONFIG_MBEDTLS_ASYMMETRIC_CONTENT_LEN
	return CONFIG_MBEDTLS_SSL_IN_CONTENT_LEN;
#else
	return CONFIG_MBEDTLS_SSL_MAX_CONTENT_LEN;
#endif
}
