/* What the core says, on the console: in words alone, so no secret can be in it. */
#include <stdio.h>

#include "tcpboot_chip.h"

static void say(void *context, enum tb_event event, enum tb_result why, uint64_t number) {
	(void)context;
	printf("%s", tb_event_text(event));
	if (number > 0)
		printf(" %lu", (unsigned long)number); /* the small printf has no 64 bits */
	if (why != TB_OK)
		printf(" (%s)", tb_result_name(why));
	printf("\n");
}

struct tb_log log_functions(void) {
	return (struct tb_log){NULL, say};
}
