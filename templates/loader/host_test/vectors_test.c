/*
 * Reads the vectors of the Go packages, and meets the fault that each file names
 * and no other. Usage: vectors_test release-folder
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "manifest.h"
#include "vector.h"
#include "words.h"

static struct vector v;
static struct tb_crypto crypto;

static struct tb_bytes bytes(const char *text) {
	return (struct tb_bytes){(const uint8_t *)text, strlen(text)};
}

static uint32_t number(const char *key) {
	return (uint32_t)strtoul(vector_value(&v, key), NULL, 10);
}

static enum tb_result judge_cose(void) {
	struct cose_message m;
	enum tb_result r = cose_read_all(v.document[0], vector_value(&v, "type"), &m);

	return r != TB_OK ? r : cose_verify(&m, &crypto, v.keys, v.key_count, number("threshold"));
}

static enum tb_result judge_site(void) {
	struct tb_site sites[VECTOR_DOCUMENTS];
	enum tb_result r = TB_NOTHING;

	for (size_t i = 0; i < v.documents; i++) {
		struct cose_message m;

		r = cose_read_all(v.document[i], SITE_TYPE, &m);
		if (r == TB_OK && i == 0)
			r = site_verify(&m, &crypto, v.keys, v.key_count, number("threshold"), &sites[0]);
		else if (r == TB_OK)
			r = site_follow(&sites[i - 1], &m, &crypto, &sites[i]);
		if (r != TB_OK)
			break;
	}
	return r;
}

static struct judge board(void) {
	unsigned major, minor, patch;
	struct judge b = {
		.kind = number("kind") == KIND_LOADER ? KIND_LOADER : KIND_FIRMWARE, .site = bytes(vector_value(&v, "site")), .hardware = bytes(vector_value(&v, "hardware")),
		.chip = (uint16_t)number("chip"), .channel = bytes(vector_value(&v, "channel")),
		.sequence = strtoull(vector_value(&v, "sequence"), NULL, 10),
		.counter = {number("generation"), number("count")},
	};

	if (sscanf(vector_value(&v, "loader"), "%u.%u.%u", &major, &minor, &patch) != 3)
		abort();
	memcpy(b.loader, (uint16_t[]){(uint16_t)major, (uint16_t)minor, (uint16_t)patch}, sizeof b.loader);
	return b;
}

static enum tb_result judge_manifest(void) {
	struct cose_message m;
	struct manifest manifest;
	enum tb_result r = manifest_read(v.document[0], &m, &manifest);
	struct judge b;

	if (r == TB_OK)
		r = cose_verify(&m, &crypto, v.keys, v.key_count, 1);
	if (r != TB_OK || *vector_value(&v, "site") == 0)
		return r;
	b = board();
	return manifest_judge(&manifest, &b);
}

/* Runs all files of a folder and returns how many were judged wrongly. */
static int run(const char *root, const char *folder, size_t least, enum tb_result (*judge)(void)) {
	char pattern[4096];
	glob_t files;
	int wrong = 0;

	snprintf(pattern, sizeof pattern, "%s/%s/*.txt", root, folder);
	if (glob(pattern, 0, NULL, &files) != 0 || files.gl_pathc < least) {
		fprintf(stderr, "%s: fewer than %zu files\n", pattern, least);
		return 1;
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *want, *got;

		vector_read(&v, files.gl_pathv[i]);
		want = vector_value(&v, "expect");
		got = tb_result_name(judge());
		if (strcmp(want, got) != 0) {
			fprintf(stderr, "%s: got %s, want %s\n", files.gl_pathv[i], got, want);
			wrong++;
		}
	}
	printf("vectors: %zu files of %s, %d judged wrongly\n", files.gl_pathc, folder, wrong);
	globfree(&files);
	return wrong;
}

int main(int argc, char **argv) {
	const char *root = argc > 1 ? argv[1] : "../../../release";

	crypto = desk_crypto();
	return run(root, "cose/testdata", 40, judge_cose) + run(root, "sitedoc/testdata", 38, judge_site) +
	       run(root, "testdata", 50, judge_manifest) > 0;
}
