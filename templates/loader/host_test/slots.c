#include "slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tcpboot_chip.h"

enum { PATH = 512, FILE_MOST = 8192 };

static const char certificate_file[] = "main/wpa2_client.crt", key_file[] = "main/wpa2_client.key",
                  root_file[] = "main/wpa2_ca.pem";
static const char *base, *own_mac;

static const char *path(unsigned which, const char *file) {
	static char text[2][PATH]; /* for two at a time */
	static unsigned turn;

	turn = !turn;
	snprintf(text[turn], PATH, "%s/cred%u/%s", base, which, file);
	return text[turn];
}

const char *slots_folder(unsigned which) {
	return path(which, "main");
}

/* Returns how many bytes there are; 0: none, or too many. */
static size_t read_file(const char *name, uint8_t *to, size_t room) {
	FILE *f = fopen(name, "rb");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(to, 1, room, f);
	if (fgetc(f) != EOF)
		n = 0;
	fclose(f);
	return n;
}

/* The whole file, or what was there before. */
static bool write_file(const char *name, const void *bytes, size_t size) {
	char part[PATH + 8];
	FILE *f;
	bool written;

	snprintf(part, sizeof part, "%s.new", name);
	f = fopen(part, "wb");
	if (f == NULL)
		return false;
	written = fwrite(bytes, 1, size, f) == size && fflush(f) == 0 && fsync(fileno(f)) == 0;
	return fclose(f) == 0 && written && rename(part, name) == 0;
}

static bool copy_file(const char *from, const char *to) {
	uint8_t bytes[FILE_MOST];
	size_t n = read_file(from, bytes, sizeof bytes);

	return n > 0 && write_file(to, bytes, n);
}

static unsigned long long read_number(unsigned which, const char *file) {
	char text[24] = "";

	(void)read_file(path(which, file), (uint8_t *)text, sizeof text - 1);
	return strtoull(text, NULL, 10);
}

static bool write_number(unsigned which, const char *file, unsigned long long n) {
	char text[24] = "";
	int size = snprintf(text, sizeof text, "%llu\n", n);

	return write_file(path(which, file), text, (size_t)size);
}

/* ---- what the core asks ---- */

static struct tb_credential look(void *context, unsigned which) {
	bool keyed = access(path(which, key_file), F_OK) == 0;
	uint32_t generation = (uint32_t)read_number(which, "generation");

	(void)context;
	return (struct tb_credential){
		.generation = keyed ? generation : 0, .tries = (uint8_t)read_number(which, "tries"), .begun = keyed && generation == 0,
	};
}

static bool count(void *context, unsigned which) {
	(void)context;
	return write_number(which, "tries", read_number(which, "tries") + 1);
}

static bool drop(void *context, unsigned which) {
	static const char *const files[] = {key_file, "generation", "tries", certificate_file, root_file};
	bool dropped = true;

	(void)context;
	for (size_t i = 0; i < sizeof files / sizeof *files && dropped; i++)
		dropped = unlink(path(which, files[i])) == 0 || errno == ENOENT;
	return dropped;
}

static size_t request(void *context, unsigned which, uint8_t *to, size_t room) {
	uint8_t key[CHIP_KEY];

	(void)mkdir(path(which, ""), 0700);
	(void)mkdir(path(which, "main"), 0700);
	if (look(context, which).begun && read_file(path(which, key_file), key, sizeof key) == sizeof key)
		return key_request(key, own_mac, to, room);
	if (!drop(context, which) || !key_new(key) || !write_file(path(which, key_file), key, sizeof key))
		return 0;
	return key_request(key, own_mac, to, room);
}

static bool keep(void *context, unsigned which, struct tb_bytes certificate) {
	uint8_t key[CHIP_KEY];

	return read_file(path(which, key_file), key, sizeof key) == sizeof key && key_matches(key, certificate) &&
	       copy_file(path(!which, root_file), path(which, root_file)) &&
	       write_file(path(which, certificate_file), certificate.at, certificate.size) && write_number(which, "tries", 0) &&
	       write_number(which, "generation", look(context, !which).generation + 1);
}

/* ---- the first time ---- */

static bool deliver(const char *delivered) {
	const char *const files[] = {certificate_file, key_file, root_file};
	char from[PATH];

	if (mkdir(base, 0700) != 0 || mkdir(path(0, ""), 0700) != 0 || mkdir(path(0, "main"), 0700) != 0)
		return false;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(from, sizeof from, "%s/%s", delivered, files[i] + strlen("main/"));
		if (!copy_file(from, path(0, files[i])))
			return false;
	}
	return write_number(0, "generation", 1);
}

bool slots_open(const char *folder, const char *delivered, const char *mac, struct tb_credentials *c) {
	base = folder;
	own_mac = mac;
	*c = (struct tb_credentials){.look = look, .count = count, .request = request, .keep = keep, .drop = drop};
	(void)umask(077);
	return access(folder, F_OK) == 0 || deliver(delivered);
}
