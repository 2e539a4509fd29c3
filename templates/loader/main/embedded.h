/* Files that are built in (main/CMakeLists.txt): the linker gives each a symbol at its
 * start and one at its end. ESP-IDF puts a NUL behind a text, in front of its end. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include "tcpboot.h"

static inline struct tb_bytes embedded(const uint8_t *start, const uint8_t *end) {
	return (struct tb_bytes){start, (size_t)(end - start)};
}

#endif
