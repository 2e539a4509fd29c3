/*
 * A board renews its credential: the core, the slots of main/credential_nvs.c in an NVS
 * that loses its power, keys and requests of components/tcpboot_chip/key.c, and a server
 * that certifies them. Power fails at every single operation. After each: one slot at
 * least holds a credential that the server admits; and the board comes to its end.
 */
#include <assert.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <stdlib.h>

#include "../main/credential_nvs.c"
#include "nvsim.h"
#include "world.h"

static const char mac[] = "246f28aa1002";

/* ---- the site ---- */

/* A certificate as the server knows it. */
struct known {
	uint8_t der[1024];
	size_t size;
};

static struct {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_pk_context ca;
	unsigned serial;
} site;

/* What a server does with requests. */
static struct desk {
	struct known old, new_, asked; /* asked: the request, which is not repeated with another key */
	unsigned later; /* requests that are answered with 202 first */
	bool useless;   /* the new certificate is not admitted */
	bool garbled;   /* it is not of the key */
	bool at_once;   /* the old one ends as soon as the new one was seen, and not when it was answered */
	bool over;      /* the old one has ended */
	unsigned issued;
} desk;

static void open_site(void) {
	mbedtls_entropy_init(&site.entropy);
	mbedtls_ctr_drbg_init(&site.random);
	mbedtls_pk_init(&site.ca);
	assert(mbedtls_ctr_drbg_seed(&site.random, mbedtls_entropy_func, &site.entropy, NULL, 0) == 0);
	assert(mbedtls_pk_setup(&site.ca, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
	assert(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(site.ca), mbedtls_ctr_drbg_random, &site.random) == 0);
}

/* Certifies the key of the request. */
static void certify(struct tb_bytes request, struct known *to) {
	mbedtls_x509write_cert c;
	mbedtls_x509_csr parsed;
	mbedtls_mpi serial;
	uint8_t room[1024];
	char subject[32];
	int n;

	mbedtls_x509_csr_init(&parsed);
	mbedtls_x509write_crt_init(&c);
	mbedtls_mpi_init(&serial);
	assert(mbedtls_x509_csr_parse_der(&parsed, request.at, request.size) == 0);
	assert(mbedtls_x509_dn_gets(subject, sizeof subject, &parsed.subject) == 15 && strcmp(subject + 3, mac) == 0);
	assert(mbedtls_mpi_lset(&serial, (mbedtls_mpi_sint)++site.serial) == 0);
	assert(mbedtls_x509write_crt_set_serial(&c, &serial) == 0);
	mbedtls_x509write_crt_set_version(&c, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&c, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&c, desk.garbled ? &site.ca : &parsed.pk);
	mbedtls_x509write_crt_set_issuer_key(&c, &site.ca);
	assert(mbedtls_x509write_crt_set_subject_name(&c, subject) == 0);
	assert(mbedtls_x509write_crt_set_issuer_name(&c, "CN=boards CA") == 0);
	assert(mbedtls_x509write_crt_set_validity(&c, "20200101000000", "99991231235959") == 0);
	n = mbedtls_x509write_crt_der(&c, room, sizeof room, mbedtls_ctr_drbg_random, &site.random);
	assert(n > 0);
	memcpy(to->der, room + sizeof room - n, (size_t)n);
	to->size = (size_t)n;
	mbedtls_x509write_crt_free(&c);
	mbedtls_x509_csr_free(&parsed);
	mbedtls_mpi_free(&serial);
}

/* The public key of a request lies behind its name. */
static bool same_key(struct tb_bytes request, const struct known *k) {
	return k->size > 0 && memcmp(request.at + 33, k->der + 33, 91) == 0;
}

static size_t answer_request(struct tb_bytes request, uint8_t *certificate) {
	assert(request.size <= sizeof desk.asked.der);
	if (!same_key(request, &desk.asked)) {
		memcpy(desk.asked.der, request.at, request.size);
		desk.asked.size = request.size;
		desk.new_.size = 0;
	}
	if (desk.later > 0) {
		desk.later--;
		return 0;
	}
	if (desk.new_.size == 0) {
		certify(request, &desk.new_);
		desk.issued++;
	}
	memcpy(certificate, desk.new_.der, desk.new_.size);
	return desk.new_.size;
}

static bool is(struct tb_bytes certificate, const struct known *k) {
	return k->size > 0 && certificate.size == k->size && memcmp(certificate.at, k->der, k->size) == 0;
}

static bool is_admitted(struct tb_bytes certificate) {
	return (is(certificate, &desk.old) && !desk.over) || (is(certificate, &desk.new_) && !desk.useless);
}

static struct world w;

/* The board proves itself with what it holds, key and certificate. */
static bool admits(void) {
	const struct credential *own = credential_held();

	if (own == NULL || !is_admitted(own->certificate))
		return false;
	assert(own->key.size == CHIP_KEY && key_matches(own->key.at, own->certificate));
	assert(strcmp(own->identity, mac) == 0 && strcmp(own->ssid, "lab") == 0 && own->radius_root.size == 4);
	if (is(own->certificate, &desk.new_)) {
		w.server.renew = false;
		desk.over = desk.over || desk.at_once;
	}
	return true;
}

/* ---- the board ---- */

static void deliver(void) {
	uint8_t key[CHIP_KEY], request[TB_MAX_REQUEST];
	size_t size;

	memset(&nvsim, 0, sizeof nvsim);
	memset(&desk, 0, sizeof desk);
	assert(key_new(key) && (size = key_request(key, mac, request, sizeof request)) > 0);
	certify((struct tb_bytes){request, size}, &desk.old);
	nvsim_put(0, "layout", &(uint8_t){LAYOUT}, 1);
	nvsim_put(0, "generation", &(uint64_t){1795176000}, 8);
	nvsim_put(0, "identity", mac, sizeof mac);
	nvsim_put(0, "password", "secret", 7);
	nvsim_put(0, "ssid", "lab", 4);
	nvsim_put(0, "radius_root", "root", 4);
	nvsim_put(0, "server", "boot.example.net", 17);
	nvsim_put(0, "port", &(uint16_t){8123}, 2);
	nvsim_put(0, "client_cert", desk.old.der, desk.old.size);
	nvsim_put(0, "client_key", key, sizeof key);
}

static void begin_first(void) {
	deliver();
	world_init(&w);
	w.server.renew = true;
	w.server.certify = answer_request;
	w.server.admits = admits;
	desk.later = 2;
}

/* The loader starts: of before there is nothing in memory. */
static void live(int rounds) {
	slot = SLOTS;
	memset(rooms, 0xa5, sizeof rooms);
	nvsim_power = &w.nor;
	w.board.credentials = credential_functions();
	(void)world_load(&w, rounds);
}

static struct tb_bytes certificate_in(unsigned which) {
	static uint8_t room[2][1024];
	size_t size = sizeof room[which];

	if (look(NULL, which).generation == 0 || nvs_get_blob(which, "client_cert", room[which], &size) != ESP_OK)
		return (struct tb_bytes){NULL, 0};
	return (struct tb_bytes){room[which], size};
}

/* What must hold whatever happened: what looks whole is whole, and one credential works. */
static void check(void) {
	for (unsigned i = 0; i < SLOTS; i++) {
		slot = SLOTS;
		if (look(NULL, i).generation == 0)
			continue;
		use(NULL, i);
		assert(slot == i && key_matches(credentials[i].key.at, credentials[i].certificate));
	}
	assert(is_admitted(certificate_in(0)) || is_admitted(certificate_in(1)));
}

/* No credential and no key: what else is left of a slot when power failed is erased when it is used. */
static bool is_empty(unsigned which) {
	return look(NULL, which).generation == 0 && !has(which, "client_key");
}

/* ---- stories ---- */

static void begin_refused(void) {
	begin_first();
	desk.useless = true;
}

static void begin_at_once(void) {
	begin_first();
	desk.at_once = true;
}

/* The old one was overwritten by a renewal before, and the board goes by slot 1. */
static void begin_again(void) {
	begin_first();
	live(6);
	assert(is(certificate_in(1), &desk.new_) && is_empty(0));
	desk.old = desk.new_;
	desk.new_.size = desk.asked.size = 0;
	desk.later = 1;
	w.server.renew = true;
}

static const struct story {
	const char *name;
	void (*begin)(void);
	bool renewed; /* at its end */
} stories[] = {
	{"renewal", begin_first, true},
	{"the second one", begin_again, true},
	{"the old one ends at once", begin_at_once, true},
	{"a new one that fails", begin_refused, false},
};

/*
 * At the end there is one credential, and the other slot is empty. Of a new one that
 * fails there may be another by then, as often as the board started.
 */
static bool is_over(const struct story *s) {
	bool one = is(certificate_in(1), s->renewed ? &desk.new_ : &desk.old);
	unsigned spare = one ? 0 : 1;

	if (!s->renewed)
		return w.events[TB_RENEWAL_DROPPED] > 0 && is(certificate_in(!spare), &desk.old) && is_empty(spare);
	return (one || is(certificate_in(0), &desk.new_)) && is_empty(spare);
}

static void live_on(const struct story *s) {
	for (int starts = 0; starts < 8 && !is_over(s); starts++)
		live(10);
	check();
	assert(is_over(s));
}

/* As in power_test.c, from one beginning for all cuts. */
static int cut_at(const struct story *s, long cut, long again, enum tear tear) {
	static volatile int failures;

	w.nor.operations = 0;
	w.nor.cut = cut;
	w.nor.tear = tear;
	w.nor.seed = (uint32_t)(cut * 7919 + again * 104729 + 1);
	failures = 0;
	if (setjmp(w.nor.power) != 0) {
		failures++;
		w.nor.cut = failures == 1 && again >= 0 ? w.nor.operations + again : -1;
		check();
	}
	live_on(s);
	w.nor.cut = -1;
	return failures;
}

static struct {
	struct world w;
	struct nvsim nvsim;
	struct desk desk;
} beginning;

static void save(void) {
	beginning.w = w;
	beginning.nvsim = nvsim;
	beginning.desk = desk;
}

static void restore(void) {
	w = beginning.w;
	nvsim = beginning.nvsim;
	desk = beginning.desk;
	world_wire(&w);
}

static long run(const struct story *s) {
	long cuts = 0, total;

	s->begin();
	save();
	w.nor.operations = 0;
	live_on(s);
	total = w.nor.operations;
	for (long cut = 0; cut < total; cut++) {
		for (int tear = TEAR_NONE; tear < TEARS; tear++) {
			restore();
			cuts += cut_at(s, cut, -1, (enum tear)tear);
		}
		for (long again = 0; again < 8; again++) {
			restore();
			cuts += cut_at(s, cut, again * again, TEAR_PART);
		}
	}
	printf("renew: %-25s %4ld operations, %5ld cuts, 0 boards without a credential\n", s->name, total, cuts);
	return cuts;
}

/* ---- what else there is to go wrong ---- */

static void test_nothing_asked(void) {
	begin_first();
	w.server.renew = false;
	live(5);
	assert(w.events[TB_RENEWAL_WANTED] == 0 && is_empty(1));
}

/* Asked for once, it is asked for until it is there, and by one key. */
static void test_later(void) {
	begin_first();
	desk.later = 7;
	live(3);
	w.server.renew = false;
	live(3);
	assert(w.why[TB_RENEWAL_WANTED] == TB_LATER && desk.issued == 0 && is(certificate_in(0), &desk.old));
	live(3);
	assert(desk.issued == 1 && is(certificate_in(1), &desk.new_) && is_empty(0));
	assert(w.events[TB_RENEWED] == 1 && look(NULL, 1).generation == 1795176001);
}

/* A certificate of another key is not kept, and not asked for again before the next start. */
static void test_garbled(void) {
	begin_first();
	desk.later = 0;
	desk.garbled = true;
	live(6);
	assert(desk.issued == 1 && w.why[TB_RENEWAL_WANTED] == TB_INVALID && is_empty(1));
	desk.garbled = false;
	live(6);
	assert(desk.issued == 2 && w.events[TB_RENEWED] == 1);
}

/* The new one had its tries, and the old one is dead: nothing is dropped, and the new one still comes by its turn. */
static void test_old_one_dies(void) {
	begin_first();
	desk.later = 0;
	desk.useless = true;
	w.server.renew = true;
	live(2);
	desk.over = true;
	live(8);
	assert(w.events[TB_RENEWED] == 0 && w.events[TB_RENEWAL_DROPPED] == 0 && look(NULL, 1).tries == TB_MAX_ENDPOINTS);
	desk.useless = false;
	live(2);
	assert(w.events[TB_RENEWED] == 1 && is(certificate_in(1), &desk.new_) && is_empty(0));
}

/* A server that is down is told from a credential that fails: each of both comes to each of two servers. */
static void test_dead_endpoint(bool useless) {
	static const char dead[] = "127.0.0.1:9";
	struct tb_site *s = &w.board.document[0].site;
	uint32_t wait;

	begin_first();
	desk.later = 0;
	desk.useless = useless;
	live(0);
	assert(w.board.held == 0 && s->endpoints == 1);
	s->endpoint[1] = s->endpoint[0];
	s->endpoint[0] = (struct tb_bytes){(const uint8_t *)dead, sizeof dead - 1};
	s->endpoints = 2;
	for (int i = 0; i < 16 && w.events[TB_RENEWED] + w.events[TB_RENEWAL_DROPPED] == 0; i++)
		(void)tb_round(&w.board, &wait);
	assert(w.events[TB_RENEWED] == !useless && w.events[TB_RENEWAL_DROPPED] == useless);
}

/* A slot whose certificate cannot be read does not cost the board the other one. */
static void test_damaged(void) {
	begin_first();
	desk.later = 0;
	desk.useless = true;
	live(1);
	assert(look(NULL, 1).generation > 0);
	nvsim_put(1, "client_cert", NULL, 0);
	live(8);
	assert(w.events[TB_RENEWAL_DROPPED] > 0 && is(certificate_in(0), &desk.old));
}

/* A credential that is built in: the board says that it cannot, and does not ask. */
static void test_embedded(void) {
	begin_first();
	slot = SLOTS;
	use(NULL, 0);
	w.board.credentials.look = NULL;
	(void)world_load(&w, 2);
	assert(w.why[TB_RENEWAL_WANTED] == TB_NOTHING && desk.later == 2 && is_empty(1));
}

/* The slots as such: a layout that is not known, one without a key, an empty partition. */
static void test_slots(void) {
	memset(&nvsim, 0, sizeof nvsim);
	slot = SLOTS;
	use(NULL, 0);
	assert(slot == SLOTS && look(NULL, 0).generation == 0);
	deliver();
	nvsim_put(0, "layout", &(uint8_t){2}, 1);
	assert(look(NULL, 0).generation == 0 && !look(NULL, 0).begun);
	deliver();
	nvsim_put(0, "client_key", NULL, 0);
	assert(look(NULL, 0).generation == 0 && !look(NULL, 0).begun);
	use(NULL, 0);
	assert(slot == SLOTS);
}

int main(void) {
	long cuts = 0;

#if CONFIG_NVS_ENCRYPTION
	nvsim_keys = "the keys of a board, of 32 bytes.";
#endif
	open_site();
	test_slots();
	test_nothing_asked();
	test_later();
	test_garbled();
	test_old_one_dies();
	test_dead_endpoint(false);
	test_dead_endpoint(true);
	test_damaged();
	test_embedded();
	for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
		cuts += run(&stories[i]);
	printf("renew: %ld cuts in all\n", cuts);
	return cuts < 1000;
}
