/*
 * Writes the documents of vector files as files of bytes, from which a fuzzer
 * starts. Usage: corpus folder file...
 */
#include <stdio.h>
#include <stdlib.h>

#include "vector.h"

int main(int argc, char **argv) {
	static struct vector v;

	for (int i = 2; i < argc; i++) {
		char name[4096];
		FILE *f;

		vector_read(&v, argv[i]);
		snprintf(name, sizeof name, "%s/%d", argv[1], i);
		f = fopen(name, "wb");
		if (f == NULL || fwrite(v.document[0].at, 1, v.document[0].size, f) != v.document[0].size || fclose(f) != 0) {
			fprintf(stderr, "%s: cannot be written\n", name);
			return 1;
		}
	}
	return argc < 3;
}
