/* The site document, as the Go package release/sitedoc specifies it. */
#ifndef TCPBOOT_SITEDOC_H
#define TCPBOOT_SITEDOC_H

#include "cose.h"

#define SITE_TYPE "application/vnd.tcpboot.site.v1"

/* What a release updates, and so what a release key is trusted with. */
enum kind { KIND_FIRMWARE = 1, KIND_LOADER = 2 };

/* Reads a kind; a number that stands for none is read as 0. */
uint32_t read_kind(struct cursor *c);

/* Reads a signed document that is trusted already: signatures are not looked at. */
enum tb_result site_read(struct tb_bytes signed_, const struct tb_crypto *crypto, struct tb_site *site);

/*
 * Reads the document that m is, if it is signed by threshold of the trusted roots
 * and by a quorum of the roots that it names itself.
 */
enum tb_result site_verify(const struct cose_message *m, const struct tb_crypto *crypto, const uint8_t *const *roots,
                           size_t count, size_t threshold, struct tb_site *site);

/* Reads the document that m is, if a holder of old takes it as its successor. */
enum tb_result site_follow(const struct tb_site *old, const struct cose_message *m, const struct tb_crypto *crypto,
                           struct tb_site *site);

/*
 * Finds the key named id, if it may sign releases of that kind for that hardware:
 * TB_SCOPE if it is trusted with others only, TB_UNTRUSTED if it is a stranger's.
 */
enum tb_result site_release_key(const struct tb_site *site, const struct tb_crypto *crypto, const uint8_t id[TB_DIGEST],
                                uint32_t kind, struct tb_bytes hardware, const uint8_t **key);

/* The lowest counter that a release for that hardware may have. */
struct tb_counter site_floor(const struct tb_site *site, struct tb_bytes hardware);

#endif
