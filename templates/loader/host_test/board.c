/*
 * The POSIX board: the core with sockets, Debian's Mbed TLS, and a file for flash.
 * It is a board on a desk, for tests and demonstrations.
 *
 *	board [option...] power      power on: the application starts, or the loader runs
 *	board [option...] confirm    the application says that it works
 *	board [option...] return     the application returns to the loader
 *	board [option...] update     the application updates its loader
 *
 * Options, each with a value:
 *
 *	--flash FILE       what the board remembers; made blank if it is not there
 *	--credentials DIR  with wpa2_client.crt and wpa2_client.key
 *	--slots DIR        two slots for credentials, the first one filled from --credentials;
 *	                   without them the credential cannot be renewed
 *	--servers FILE     root of the image servers, PEM
 *	--site FILE        the first site document, signed
 *	--hardware NAME --chip ID --channel NAME --counter G.C
 *	--loader M.m.p     version of this loader, until an update puts another into flash
 *	--server HOST:PORT where to go instead of where site documents say
 *	--break N          cut the connection after N bytes, once
 *	--visits N         give up after so many visits (default 20)
 *	--hurry N          sleep N times shorter
 *
 * Exit status: 0 done, or an application was started; 3 the loader, or an update,
 * found none; 4 nothing starts any more; 2 bad usage.
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto.h"
#include "espimage.h"
#include "otadata.h"
#include "slots.h"

/* The flash: the store, the bootloader's record, the slot, the loader, one after the other. */
enum {
	OTADATA_SIZE = 2 * TB_SECTOR, SLOT_SIZE = 0x2f0000, FACTORY_SIZE = 0xf0000,
	FLASH_SIZE = TB_STORE_SIZE + OTADATA_SIZE + SLOT_SIZE + FACTORY_SIZE,
};

static struct {
	const char *flash, *credentials, *slots, *servers, *site, *hardware, *channel, *server;
	unsigned chip, loader[3], generation, count, visits, hurry;
	long breaks;
} options = {
	.flash = "board.flash", .credentials = ".", .servers = "servers-root.pem", .site = "1.cose", .hardware = "esp32",
	.channel = "stable", .loader = {2, 0, 0}, .visits = 20, .hurry = 1, .breaks = -1,
};

static void die(const char *what, const char *why) {
	fprintf(stderr, "board: %s: %s\n", what, why);
	exit(2);
}

/* ---- flash ---- */

static FILE *flash_file;
static const uint32_t store_at = 0, otadata_at = TB_STORE_SIZE, slot_at = TB_STORE_SIZE + OTADATA_SIZE,
                      factory_at = TB_STORE_SIZE + OTADATA_SIZE + SLOT_SIZE;

static bool flash_io(uint32_t at, void *to, const void *from, size_t size) {
	if (fseek(flash_file, (long)at, SEEK_SET) != 0)
		return false;
	if (to != NULL)
		return fread(to, 1, size, flash_file) == size;
	return fwrite(from, 1, size, flash_file) == size && fflush(flash_file) == 0;
}

static bool flash_read(void *base, uint32_t offset, void *to, size_t size) {
	return flash_io(*(const uint32_t *)base + offset, to, NULL, size);
}

/* Writing clears bits, as flash does. */
static bool flash_write_some(void *base, uint32_t offset, const void *from, size_t size) {
	const uint8_t *bytes = from;
	uint8_t sector[TB_SECTOR];

	while (size > 0) {
		size_t n = size < sizeof sector ? size : sizeof sector;

		if (!flash_read(base, offset, sector, n))
			return false;
		for (size_t i = 0; i < n; i++)
			sector[i] &= bytes[i];
		if (!flash_io(*(const uint32_t *)base + offset, NULL, sector, n))
			return false;
		bytes += n;
		offset += (uint32_t)n;
		size -= n;
	}
	return true;
}

static bool flash_erase(void *base, uint32_t offset, size_t size) {
	uint8_t blank[TB_SECTOR];

	memset(blank, 0xff, sizeof blank);
	for (; size >= TB_SECTOR; size -= TB_SECTOR, offset += TB_SECTOR)
		if (!flash_io(*(const uint32_t *)base + offset, NULL, blank, TB_SECTOR))
			return false;
	return size == 0;
}

static struct tb_flash partition(const uint32_t *base, uint32_t size) {
	return (struct tb_flash){(void *)(uintptr_t)base, size, flash_read, flash_write_some, flash_erase};
}

static void open_flash(void) {
	static uint8_t blank[FLASH_SIZE];
	bool there = access(options.flash, F_OK) == 0;

	flash_file = fopen(options.flash, there ? "r+b" : "w+b");
	if (flash_file == NULL)
		die(options.flash, "cannot be opened");
	memset(blank, 0xff, sizeof blank);
	if (!there && !flash_io(0, NULL, blank, sizeof blank))
		die(options.flash, "cannot be written");
}

/* ---- TLS ---- */

static struct {
	mbedtls_net_context socket;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt roots, own;
	mbedtls_pk_context key;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	const struct tb_peer *peer;
	bool able; /* there is a certificate with its key */
	bool open;
} tls;

/* Takes up the credential in a folder. */
static void load_own(const char *folder) {
	char certificate[4096], key[4096];

	snprintf(certificate, sizeof certificate, "%s/wpa2_client.crt", folder);
	snprintf(key, sizeof key, "%s/wpa2_client.key", folder);
	mbedtls_x509_crt_free(&tls.own);
	mbedtls_pk_free(&tls.key);
	mbedtls_x509_crt_init(&tls.own);
	mbedtls_pk_init(&tls.key);
	tls.able = mbedtls_x509_crt_parse_file(&tls.own, certificate) == 0 && mbedtls_pk_parse_keyfile(&tls.key, key, NULL) == 0;
}

static void load_credentials(void) {
	mbedtls_x509_crt_init(&tls.roots);
	mbedtls_entropy_init(&tls.entropy);
	mbedtls_ctr_drbg_init(&tls.random);
	if (mbedtls_ctr_drbg_seed(&tls.random, mbedtls_entropy_func, &tls.entropy, NULL, 0) != 0)
		die("random numbers", "there are none");
	if (mbedtls_x509_crt_parse_file(&tls.roots, options.servers) != 0)
		die(options.servers, "no certificates");
	load_own(options.credentials);
	if (!tls.able)
		die(options.credentials, "no certificate with its key");
}

static void use_slot(void *context, unsigned which) {
	(void)context;
	printf("going by the credential in slot %u\n", which);
	load_own(slots_folder(which));
}

/* The board's name is that of its first certificate, "CN=" and twelve digits. */
static struct tb_credentials credentials(void) {
	static char name[64];
	struct tb_credentials c = {0};

	if (options.slots == NULL)
		return c;
	if (mbedtls_x509_dn_gets(name, sizeof name, &tls.own.subject) < 0 ||
	    !slots_open(options.slots, options.credentials, name + strlen("CN="), &c))
		die(options.slots, "cannot be opened");
	c.use = use_slot;
	return c;
}

/* Of the chain that was verified, the issuer of the server must be one that the site names. */
static int judge_chain(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
	uint8_t digest[TB_DIGEST];

	(void)context;
	if (depth != 1)
		return 0;
	mbedtls_sha256_ret(certificate->pk_raw.p, certificate->pk_raw.len, digest, 0);
	for (size_t i = 0; i < tls.peer->issuers; i++)
		if (memcmp(digest, tls.peer->issuer[i], TB_DIGEST) == 0)
			return 0;
	*flags |= MBEDTLS_X509_BADCERT_NOT_TRUSTED;
	return 0;
}

static bool dial(const char *endpoint) {
	char host[TB_MAX_HOST + 8], *port;

	snprintf(host, sizeof host, "%s", endpoint);
	port = strrchr(host, ':');
	if (port == NULL)
		return false;
	*port = 0;
	mbedtls_net_init(&tls.socket);
	return mbedtls_net_connect(&tls.socket, host, port + 1, MBEDTLS_NET_PROTO_TCP) == 0;
}

static bool set_up(const struct tb_peer *peer, uint32_t limit) {
	mbedtls_ssl_config_init(&tls.config);
	mbedtls_ssl_init(&tls.ssl);
	if (mbedtls_ssl_config_defaults(&tls.config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
	                                MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return false;
	mbedtls_ssl_conf_min_version(&tls.config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_authmode(&tls.config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&tls.config, &tls.roots, NULL);
	mbedtls_ssl_conf_verify(&tls.config, judge_chain, NULL);
	mbedtls_ssl_conf_rng(&tls.config, mbedtls_ctr_drbg_random, &tls.random);
	mbedtls_ssl_conf_read_timeout(&tls.config, limit);
	return mbedtls_ssl_conf_own_cert(&tls.config, &tls.own, &tls.key) == 0 &&
	       mbedtls_ssl_setup(&tls.ssl, &tls.config) == 0 && mbedtls_ssl_set_hostname(&tls.ssl, peer->name) == 0;
}

static void tls_close(void *context) {
	(void)context;
	if (!tls.open)
		return;
	(void)mbedtls_ssl_close_notify(&tls.ssl);
	mbedtls_ssl_free(&tls.ssl);
	mbedtls_ssl_config_free(&tls.config);
	mbedtls_net_free(&tls.socket);
	tls.open = false;
}

/* A server that knows the board's certificate for dead ends the handshake with an alert. */
static enum tb_result tls_connect(void *context, const struct tb_peer *peer, uint32_t limit) {
	int r;

	tls.peer = peer;
	if (!tls.able || !dial(options.server != NULL ? options.server : peer->endpoint))
		return TB_NETWORK;
	tls.open = true;
	r = set_up(peer, limit) ? 0 : -1;
	mbedtls_ssl_set_bio(&tls.ssl, &tls.socket, mbedtls_net_send, NULL, mbedtls_net_recv_timeout);
	if (r == 0)
		r = mbedtls_ssl_handshake(&tls.ssl);
	if (r == 0)
		return TB_OK;
	tls_close(context);
	fprintf(stderr, "board: handshake: -0x%04x\n", (unsigned)-r);
	return r == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ? TB_REFUSED : TB_NETWORK;
}

static int tls_read(void *context, uint8_t *to, size_t size, uint32_t limit) {
	int n;

	(void)context;
	if (options.breaks >= 0 && (long)size > options.breaks)
		size = (size_t)options.breaks;
	if (size == 0) {
		options.breaks = -1;
		return 0;
	}
	mbedtls_ssl_conf_read_timeout(&tls.config, limit);
	n = mbedtls_ssl_read(&tls.ssl, to, size);
	if (n > 0 && options.breaks >= 0)
		options.breaks -= n;
	return n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : n;
}

static int tls_write(void *context, const uint8_t *from, size_t size, uint32_t limit) {
	(void)context;
	(void)limit; /* a desk's kernel takes what a board writes at once */
	return mbedtls_ssl_write(&tls.ssl, from, size);
}

/* A desk is wired: there is no access point to log in at. */
static enum tb_result wired(void *context, const struct tb_peer *peer, uint32_t limit) {
	(void)context;
	(void)peer;
	(void)limit;
	return TB_OK;
}

/* ---- chip, clock, log ---- */

static enum tb_result check(void *context) {
	const struct tb_board *board = context;

	return espimage_is_whole(&board->slot, &board->crypto, board->build.chip) ? TB_OK : TB_BAD_IMAGE;
}

static enum tb_result activate(void *context) {
	struct tb_flash otadata = partition(&otadata_at, OTADATA_SIZE);

	if (check(context) != TB_OK)
		return TB_BAD_IMAGE;
	otadata_activate(&otadata);
	return TB_OK;
}

static enum tb_result deactivate(void *context) {
	struct tb_flash otadata = partition(&otadata_at, OTADATA_SIZE);

	(void)context;
	otadata_erase(&otadata);
	return TB_OK;
}

static enum tb_result stay(void *context) {
	struct tb_flash otadata = partition(&otadata_at, OTADATA_SIZE);

	(void)context;
	otadata_confirm(&otadata);
	return TB_OK;
}

static uint32_t now(void *context) {
	struct timespec t;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)t.tv_sec * 1000 + (uint32_t)(t.tv_nsec / 1000000);
}

static void sleep_for(void *context, uint32_t milliseconds) {
	(void)context;
	milliseconds /= options.hurry;
	nanosleep(&(struct timespec){milliseconds / 1000, (long)(milliseconds % 1000) * 1000000}, NULL);
}

static uint32_t random_bits(void *context) {
	uint32_t n = 0;

	(void)context;
	(void)mbedtls_ctr_drbg_random(&tls.random, (unsigned char *)&n, sizeof n);
	return n;
}

static void say(void *context, enum tb_event event, enum tb_result why, uint64_t number) {
	(void)context;
	printf("%s %llu (%s)\n", tb_event_text(event), (unsigned long long)number, tb_result_name(why));
}

/* ---- the board ---- */

static struct tb_board board;

static struct tb_bytes read_site(void) {
	static uint8_t bytes[TB_MAX_DOCUMENT];
	FILE *f = fopen(options.site, "rb");
	size_t n;

	if (f == NULL)
		die(options.site, "cannot be opened");
	n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return (struct tb_bytes){bytes, n};
}

static void set_up_board(void) {
	static uint8_t chunk[TB_MAX_CHUNK], list[SLOT_SIZE / TB_SECTOR * TB_DIGEST];

	board = (struct tb_board){
		.build = {
			.hardware = options.hardware, .channel = options.channel, .chip = (uint16_t)options.chip,
			.loader = {(uint16_t)options.loader[0], (uint16_t)options.loader[1], (uint16_t)options.loader[2]},
			.counter = {options.generation, options.count}, .document = read_site(), .record = 4096,
		},
		.network = {NULL, wired, tls_connect, tls_read, tls_write, tls_close}, .credentials = credentials(),
		.slot = partition(&slot_at, SLOT_SIZE), .store = partition(&store_at, TB_STORE_SIZE),
		.boot = {&board, check, activate, deactivate}, .crypto = desk_crypto(),
		.clock = {NULL, now, sleep_for, random_bits}, .log = {NULL, say},
		.chunk = chunk, .chunk_size = sizeof chunk, .list = list, .list_size = sizeof list,
	};
}

static int application_starts(void) {
	printf("the application starts\n");
	return 0;
}

/*
 * The loader that starts: the one that an update put into flash, or this program. False
 * when what lies there is neither whole nor blank, so that no loader starts.
 */
static bool take_loader(void) {
	struct tb_flash factory = partition(&factory_at, FACTORY_SIZE);
	char version[33] = "";
	uint8_t first;

	if (!factory.read(factory.context, 0, &first, 1) || first == 0xff)
		return true;
	return espimage_is_whole(&factory, &board.crypto, board.build.chip) &&
	       factory.read(factory.context, IMAGE_VERSION, version, 32) && tb_loader_version(version, board.build.loader);
}

/* Power on: the bootloader, then the loader if it comes to that. */
static int power(void) {
	struct tb_flash otadata = partition(&otadata_at, OTADATA_SIZE);
	enum tb_result r;
	uint32_t wait;

	load_credentials();
	set_up_board();
	if (otadata_chooses(&otadata) && check(&board) == TB_OK)
		return application_starts();
	if (!take_loader()) {
		printf("nothing starts\n");
		return 4;
	}
	printf("loader %u.%u.%u starts\n", board.build.loader[0], board.build.loader[1], board.build.loader[2]);
	if ((r = tb_open(&board)) != TB_OK)
		die(options.site, tb_result_name(r));
	for (unsigned i = 0; i < options.visits; i++) {
		if (tb_round(&board, &wait) == TB_START)
			return otadata_chooses(&otadata) ? application_starts() : 3;
		sleep_for(NULL, wait);
	}
	return 3;
}

static int confirm(void) {
	struct tb_flash otadata = partition(&otadata_at, OTADATA_SIZE), store = partition(&store_at, TB_STORE_SIZE);

	otadata_confirm(&otadata);
	return tb_confirm(&store) == TB_OK ? 0 : 3;
}

static int update(void) {
	enum tb_result r;

	load_credentials();
	set_up_board();
	board.slot = partition(&factory_at, FACTORY_SIZE);
	board.boot = (struct tb_boot){&board, check, deactivate, stay};
	r = tb_update_loader(&board);
	printf("update of the loader: %s\n", tb_result_name(r));
	return r == TB_OK ? 0 : 3;
}

static int go_back(void) {
	(void)deactivate(NULL);
	return 0;
}

/* ---- the command ---- */

static unsigned number(const char *text) {
	return (unsigned)strtoul(text, NULL, 10);
}

static bool set(const char *name, const char *value) {
	const struct {
		const char *name, **text;
	} texts[] = {
		{"--flash", &options.flash}, {"--credentials", &options.credentials}, {"--servers", &options.servers},
		{"--site", &options.site}, {"--hardware", &options.hardware}, {"--channel", &options.channel},
		{"--server", &options.server}, {"--slots", &options.slots},
	};
	const struct {
		const char *name;
		unsigned *n;
	} numbers[] = {{"--chip", &options.chip}, {"--visits", &options.visits}, {"--hurry", &options.hurry}};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(name, texts[i].name) == 0)
			return *texts[i].text = value, true;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(name, numbers[i].name) == 0)
			return *numbers[i].n = number(value), true;
	if (strcmp(name, "--break") == 0)
		return options.breaks = (long)number(value), true;
	if (strcmp(name, "--loader") == 0)
		return sscanf(value, "%u.%u.%u", &options.loader[0], &options.loader[1], &options.loader[2]) == 3;
	if (strcmp(name, "--counter") == 0)
		return sscanf(value, "%u.%u", &options.generation, &options.count) == 2;
	return false;
}

int main(int argc, char **argv) {
	static const struct {
		const char *name;
		int (*run)(void);
	} verbs[] = {{"power", power}, {"confirm", confirm}, {"return", go_back}, {"update", update}};
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
		if (!set(argv[i], argv[i + 1]))
			die(argv[i], "not an option, or not such a value");
	if (options.hurry == 0 || i + 1 != argc)
		die("usage", "board [option...] power | confirm | return | update");
	open_flash();
	for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
		if (strcmp(argv[i], verbs[v].name) == 0)
			return verbs[v].run();
	die(argv[i], "want power, confirm, return or update");
	return 2;
}
