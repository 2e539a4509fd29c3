/*
 * The portable core of the loader: what a board does to get the release that it
 * is to have, and to never stand without something that runs.
 *
 * # The board
 *
 * Flash holds the loader, which only an application overwrites (tb_update_loader); one
 * slot, which holds the application; and a store of TB_STORE_SIZE bytes, which holds what the board must
 * not forget. The chip's own bootloader starts the application when it was chosen
 * and is whole, else the loader. So the worst that a power cut can do is to leave
 * the board in its loader.
 *
 * # The story
 *
 * tb_round() is one visit to the image server:
 *
 *	join, connect    as the site document on trial says, else as the proven one
 *	hello            what the board is, has, and trusts
 *	documents        each the successor of the one before; the last is kept
 *	decide           is the manifest signed, for this board, and newer?
 *	fetch            chunk by chunk: compare, erase, write, read back
 *	activate         count, then choose the application for the next start
 *	report
 *	renew            ask for a new certificate, if the server wants that
 *
 * Nothing of the old application is erased before the new manifest was verified
 * and its list of chunks is at hand. Chunks that lie in the slot already are not
 * fetched again, whoever put them there, for they are compared with the list that
 * the manifest names: that is all there is to resuming. What counts up (epoch,
 * counter, sequence) is stored before what it stands for is used.
 *
 * # The contract of the functions
 *
 * The core calls the functions of one struct tb_board one at a time and from one
 * thread, keeps no pointer beyond a call, allocates nothing, and waits only in
 * those that take a limit, in milliseconds. A function that fails may be called
 * again. The documents themselves are specified in the Go packages release,
 * release/sitedoc, release/cose and release/wire.
 */
#ifndef TCPBOOT_H
#define TCPBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes in bytes, unless they say otherwise. */
enum {
	TB_DIGEST = 32,           /* SHA-256 */
	TB_KEY = 64,              /* a P-256 point: x, y, big-endian */
	TB_SIGNATURE = 64,        /* r, s, big-endian */
	TB_SECTOR = 4096,         /* what flash erases at once */
	TB_MAX_DOCUMENT = 4096,   /* a signed site document */
	TB_MAX_MANIFEST = 1024,   /* a signed manifest */
	TB_MAX_CHUNK = 16384,     /* a chunk; its size is a multiple of TB_SECTOR */
	TB_MAX_IMAGE = 16777216,  /* an image */
	TB_MAX_NAME = 63,         /* characters of a name */
	TB_MAX_HOST = 128,        /* characters of a host */
	TB_MAX_HEAD = 2048,       /* the head of an HTTP answer */
	TB_MAX_REQUEST = 512,     /* a request for a certificate */
	TB_MAX_CERTIFICATE = 2048,
	TB_MAX_ROOTS = 3,
	TB_MAX_ENDPOINTS = 4,
	TB_MAX_ISSUERS = 4,
	TB_MAX_SIGNERS = 6,
	TB_STORE_SIZE = 32768,    /* the partition "tb_state" */
};

/*
 * What can come of it. The faults of documents bear the names that the test
 * vectors give them.
 */
enum tb_result {
	TB_OK,

	TB_TOO_LONG,     /* a document longer than its kind may be */
	TB_ENCODING,     /* not the one encoding */
	TB_PROFILE,      /* outside the profile of COSE */
	TB_TYPE,         /* another type of document */
	TB_UNTRUSTED,    /* not signed by enough known keys */
	TB_FORGED,       /* a signature that does not verify */
	TB_INVALID,      /* signed, and yet says what no document may */
	TB_SUCCESSION,   /* does not succeed the present site document */
	TB_SCOPE,        /* the key is trusted with something else */
	TB_COUNTER,      /* outside the bounds of the site document */
	TB_OTHER_SITE,   /* for another site */
	TB_OTHER_BOARD,  /* for another hardware, chip, channel, loader or size of slot */
	TB_STALE,        /* older than what the board has */
	TB_MISMATCH,     /* not what the manifest states */
	TB_BAD_IMAGE,    /* the chip would not start it */

	TB_NETWORK,      /* no connection, or it broke, or a limit ran out */
	TB_PROTOCOL,     /* the peer does not speak as it must */
	TB_REFUSED,      /* the server does not serve this board */
	TB_LATER,        /* the server asks to come again later */
	TB_GONE,         /* not offered any more */
	TB_FLASH,        /* flash does not hold what was written */
	TB_NOTHING,      /* there is nothing to install, or nothing stored */
	TB_GIVEN_UP,     /* this release failed too often on this board */
	TB_UNCONFIRMED,  /* the application started, and never said that it works */
};

/* Returns the name of r in the words of the test vectors. */
const char *tb_result_name(enum tb_result r);

/* A run of bytes that lie elsewhere. */
struct tb_bytes {
	const uint8_t *at;
	size_t size;
};

/*
 * A peer is whom the board is about to talk to, and what that one must prove: that
 * its certificate bears the name, and that it was issued by a CA whose key
 * (SubjectPublicKeyInfo) has one of the digests.
 */
struct tb_peer {
	const char *endpoint; /* "host:port" or "[address]:port"; "" for a RADIUS server */
	const char *name;
	const uint8_t *const *issuer; /* TB_DIGEST bytes each */
	size_t issuers;
};

/*
 * The network: one secured stream at a time.
 *
 * join logs in at the access point as peer says; on a wired board it may do
 * nothing. connect opens TLS 1.2 or 1.3 to the peer, with the board's certificate.
 * read returns how many bytes it got, at least one; 0 at the end of the stream;
 * below 0 on an error or when the limit is over. write is alike and may write
 * less than it was given. close may be called when nothing is open.
 */
struct tb_network {
	void *context;
	enum tb_result (*join)(void *context, const struct tb_peer *peer, uint32_t limit);
	enum tb_result (*connect)(void *context, const struct tb_peer *peer, uint32_t limit);
	int (*read)(void *context, uint8_t *to, size_t size, uint32_t limit);
	int (*write)(void *context, const uint8_t *from, size_t size, uint32_t limit);
	void (*close)(void *context);
};

/* What lies in one of the two slots for credentials. */
struct tb_credential {
	uint32_t generation; /* of a whole credential, the later one above the other; 0: none */
	uint8_t tries;       /* counted */
	bool begun;          /* a key without its certificate */
};

/*
 * The board's credentials, each a private key and what else proves the board. They lie
 * in slots 0 and 1 and stay there: the core sees no key, and says which slot is used.
 *
 * look says what is in a slot. use makes join and connect go by the one there. request
 * makes a key in the slot, unless one was begun there, and writes a PKCS #10 request for
 * it, of the board's name, in DER; it returns its size, 0 on failure. keep puts the
 * certificate (DER) beside that key, and makes the slot whole as its last step, with a
 * generation above the other's and no try counted; false when the certificate is not of
 * the key. count adds a try. drop empties the slot, as a whole credential first.
 */
struct tb_credentials {
	void *context;
	struct tb_credential (*look)(void *context, unsigned slot); /* NULL: one that cannot be renewed */
	void (*use)(void *context, unsigned slot);
	bool (*count)(void *context, unsigned slot);
	size_t (*request)(void *context, unsigned slot, uint8_t *to, size_t room);
	bool (*keep)(void *context, unsigned slot, struct tb_bytes certificate);
	bool (*drop)(void *context, unsigned slot);
};

/*
 * A partition of NOR flash. Erasing sets whole sectors to 0xff, writing clears
 * bits; the core erases before it writes, and reads back what it wrote. Each
 * returns false on failure.
 */
struct tb_flash {
	void *context;
	uint32_t size; /* 0: the board has no such partition */
	bool (*read)(void *context, uint32_t offset, void *to, size_t size);
	bool (*write)(void *context, uint32_t offset, const void *from, size_t size);
	bool (*erase)(void *context, uint32_t offset, size_t size);
};

/*
 * The chip's bootloader, which takes one record (otadata) for its orders.
 *
 * check says whether the chip would start the image in the slot, signature
 * included: TB_OK or TB_BAD_IMAGE. activate makes the next start run it.
 * deactivate makes the next start run the loader, and does nothing when that is
 * so already.
 */
struct tb_boot {
	void *context;
	enum tb_result (*check)(void *context);
	enum tb_result (*activate)(void *context);
	enum tb_result (*deactivate)(void *context);
};

/*
 * Cryptography. One hash is computed at a time: start, add, finish. point says
 * whether key is a point of P-256 other than infinity, verify whether signature is
 * one of key over digest, by ECDSA.
 */
struct tb_crypto {
	void *context;
	void (*sha256_start)(void *context);
	void (*sha256_add)(void *context, const void *bytes, size_t size);
	void (*sha256_finish)(void *context, uint8_t digest[TB_DIGEST]);
	bool (*point)(void *context, const uint8_t key[TB_KEY]);
	bool (*verify)(void *context, const uint8_t key[TB_KEY], const uint8_t digest[TB_DIGEST],
	               const uint8_t signature[TB_SIGNATURE]);
};

/* Time in milliseconds from anywhere, which may wrap; and 32 random bits. */
struct tb_clock {
	void *context;
	uint32_t (*now)(void *context);
	void (*sleep)(void *context, uint32_t milliseconds);
	uint32_t (*random)(void *context);
};

/* What the core says of its work. */
enum tb_event {
	TB_STORE_MISSING,   /* no partition: no memory of counters, documents, failures */
	TB_STORE_NEW,       /* nothing was ever stored */
	TB_STORE_LOST,      /* something was; floors come from what is left */
	TB_STORE_FAILED,    /* it could not be written */
	TB_SITE_USED,       /* number: epoch of the document that the board goes by */
	TB_SITE_CHANGED,    /* that one did not lead to the server; number: epoch of another */
	TB_SITE_LEARNED,    /* number: epoch */
	TB_SITE_PROVEN,     /* number: epoch */
	TB_SITE_REFUSED,
	TB_VISIT_FAILED,    /* number: visits in a row that failed */
	TB_NOTHING_NEW,
	TB_MANIFEST_REFUSED,
	TB_INSTALL_BEGUN,   /* number: bytes that are there already */
	TB_INSTALL_FAILED,  /* number: how often this release has failed */
	TB_INSTALLED,       /* number: bytes of the image */
	TB_STARTED,         /* number: starts without being confirmed, this one included */
	TB_STAYS,           /* why there is nothing to start */
	TB_RENEWAL_WANTED,  /* and what came of it: good, later, nothing (this board cannot) */
	TB_RENEWED,         /* the older credential is dropped; number: tries that it took */
	TB_RENEWAL_DROPPED, /* the newer one is; number: tries that failed */
};

struct tb_log {
	void *context;
	void (*say)(void *context, enum tb_event event, enum tb_result why, uint64_t number);
};

/* Returns a line about event for people, in English and without its end. */
const char *tb_event_text(enum tb_event event);

/* A security counter: (generation, count), compared in that order. */
struct tb_counter {
	uint32_t generation;
	uint32_t count;
};

/* What the loader was built with. Names are C strings of 1 … TB_MAX_NAME characters. */
struct tb_build {
	const char *hardware;
	const char *channel;
	uint16_t chip;              /* the id in an image's header */
	uint16_t loader[3];         /* major, minor, patch */
	struct tb_counter counter;  /* no release below it is taken */
	struct tb_bytes document;   /* the first site document, signed; trusted as it is */
	uint32_t record;            /* largest TLS record that fits, from 512; 0: any */
};

/* A site document that was judged. It points into the signed bytes. */
struct tb_site {
	struct tb_bytes name;
	uint64_t epoch;
	uint32_t generation;
	struct tb_bytes keys;     /* the release keys, still encoded */
	const uint8_t *root[TB_MAX_ROOTS];
	size_t roots;
	size_t threshold;
	struct tb_bytes endpoint[TB_MAX_ENDPOINTS];
	size_t endpoints;
	struct tb_bytes radius;   /* what RADIUS servers prove to be */
	struct tb_bytes update;   /* what image servers prove to be */
	const uint8_t *eap_issuer[TB_MAX_ISSUERS];
	size_t eap_issuers;
	const uint8_t *tls_issuer[TB_MAX_ISSUERS];
	size_t tls_issuers;
	struct tb_bytes floors;   /* by hardware, still encoded */
};

/* One image of a release. */
struct tb_component {
	struct tb_bytes name;
	uint32_t size;
	uint32_t chunk;
	const uint8_t *digest; /* of the image */
	const uint8_t *chunks; /* of the list of the chunks' digests */
};

/* How far the application in the slot has come. The numbers are stored. */
enum tb_phase {
	TB_EMPTY,     /* none, or only a part of one */
	TB_WHOLE,     /* written and compared; it never said that it works */
	TB_CONFIRMED, /* it ran, and said that it works */
};

/* What a report says. These numbers are those of the protocol, and stored too. */
enum tb_outcome { TB_SAYS_NOTHING, TB_SAYS_ACTIVATED, TB_SAYS_CONFIRMED, TB_SAYS_FAILED };
enum tb_cause {
	TB_CAUSE_NONE,
	TB_CAUSE_REFUSED,
	TB_CAUSE_NETWORK,
	TB_CAUSE_CORRUPT,
	TB_CAUSE_FLASH,
	TB_CAUSE_INVALID,
	TB_CAUSE_UNCONFIRMED,
	TB_CAUSE_COMPONENT,
};

/* What the store remembers beside documents. */
struct tb_state {
	uint32_t serial;               /* of the record; 0: none was ever written */
	uint64_t proven;               /* epoch of the newest document that led to the server */
	struct tb_counter counter;     /* of what was installed last, and the highest */
	uint64_t sequence;             /* of the same, in channel; 0: it was of another channel */
	uint8_t channel[TB_MAX_NAME + 1];
	uint8_t phase;                 /* enum tb_phase, of the slot */
	uint8_t starts;                /* without being confirmed; one more when it was judged for them */
	uint8_t manifest[TB_DIGEST];   /* of what is in the slot, or on its way there */
	uint8_t tried[TB_DIGEST];      /* the manifest that failed last */
	uint8_t failures;              /* of it */
	uint8_t about[TB_DIGEST];      /* the manifest that the last report is about */
	uint8_t outcome;               /* enum tb_outcome */
	uint8_t cause;                 /* enum tb_cause */
	uint8_t owed;                  /* whether the report is still to be made */
	uint8_t of_loader;             /* whether the report is about a loader */
	uint16_t loader[3];            /* version of the loader that ran last; 0.0.0: none said so */
};

/* The stream of HTTP answers: what was read of it and not yet used. */
struct tb_stream {
	size_t from, to;
	uint32_t body;  /* bytes of the body that are still to come */
	bool open;
	bool last;      /* the server closes behind this answer */
	uint8_t bytes[TB_MAX_HEAD];
};

/* A document with its signed bytes. */
struct tb_document {
	struct tb_site site;
	size_t size;
	uint8_t bytes[TB_MAX_DOCUMENT];
};

/*
 * A board. The caller sets what stands above the line, keeps it where it is, and
 * touches nothing below.
 */
struct tb_board {
	struct tb_build build;
	struct tb_network network;
	struct tb_credentials credentials;
	struct tb_flash slot;
	struct tb_flash store;
	struct tb_boot boot;
	struct tb_crypto crypto;
	struct tb_clock clock;
	struct tb_log log;
	uint8_t *chunk;      /* room for one chunk, at least TB_SECTOR */
	size_t chunk_size;
	uint8_t *list;       /* room for the digests of all chunks of an image */
	size_t list_size;

	/* ---- */

	struct tb_state state;
	uint8_t held;        /* which document is in use */
	uint64_t ceiling;    /* no document of this epoch or above led to the server; 0: none was tried */
	uint32_t visits;     /* in a row that failed */
	uint8_t credential;  /* the slot that the board goes by */
	bool wanted;         /* the server wants it renewed */
	bool rests;          /* a renewal has failed: the next one after the next start */
	uint32_t misses;     /* of them, that did not reach the server by the document in use */
	uint32_t farthest;   /* bytes of the slot up to which it was written since power came on */
	bool updates;        /* an application asks, for a loader */
	bool updated;        /* and has got one */

	/* What is large stands last: a short offset is a short instruction. */
	size_t manifest_size;
	uint8_t manifest[TB_MAX_MANIFEST];
	struct tb_stream stream;
	struct tb_document document[2];
};

/* What to do after a round. */
enum tb_next {
	TB_START, /* restart: the application was chosen */
	TB_AGAIN, /* wait so long, then another round */
};

/*
 * Reads the store and takes up the site document to go by. Call it once, before
 * tb_round. It fails with the fault of the document that the loader was built
 * with, and of nothing else.
 */
enum tb_result tb_open(struct tb_board *board);

/*
 * Makes one visit to the image server. After TB_AGAIN *wait says for how many
 * milliseconds to sleep.
 */
enum tb_next tb_round(struct tb_board *board, uint32_t *wait);

/*
 * Makes rounds until there is an application to start, and returns then: restart.
 */
void tb_run(struct tb_board *board);

/*
 * Says that the running application works; the application calls it, with the
 * store alone. Done again it does nothing. TB_NOTHING: no application is known to
 * the store.
 */
enum tb_result tb_confirm(const struct tb_flash *store);

/*
 * Makes one visit to the image server for a newer loader; the application calls it,
 * on the network that it is in. Of such a board the slot is the loader's partition:
 * boot.activate makes the loader the next that starts, boot.deactivate the
 * application that runs, for good. That is done before the first byte of the old
 * loader is erased, and the other after the new one was compared and checked: so what
 * starts is whole, wherever power fails, and the next visit goes on. build.channel and
 * build.loader need not be set: they are the loader's, which the store knows.
 *
 * TB_OK: restart, into the new loader. TB_NOTHING: there is none, or none that this
 * board takes (the log says why), or no loader that keeps a store has run here. After
 * anything else call it again some time.
 */
enum tb_result tb_update_loader(struct tb_board *board);

/* Reads "major.minor.patch", without leading zeros, and nothing else. */
bool tb_loader_version(const char *text, uint16_t version[3]);

#endif
