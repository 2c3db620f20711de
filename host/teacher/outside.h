// Texts from outside: what an endpoint sends may repeat the key, and may hold control characters; an address may hold a
// password. Nothing of this reaches a log, a file, a message or a terminal.
#ifndef TT_TEACHER_OUTSIDE_H
#define TT_TEACHER_OUTSIDE_H

#include "host/base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

// Replaces `secret` in the text by [key], also where JSON has escaped its slashes. A secret of less than four characters
// is none. Out of memory sets text->failed.
void tt_outside_hide(tt_str *text, const char *secret);
// Makes a message one line: control characters become spaces, and what is not UTF-8 becomes '?'. In place.
void tt_outside_line(char *text);
// Copies the first bytes of a text as such a line, cut between characters, with "..." where it was cut.
void tt_outside_excerpt(char *out, size_t size, const char *text);

// Appends where chat requests go: /chat/completions behind the path of `url`, unless it is there, before its query.
void tt_address_of_chat(tt_str *out, const char *url);
// Appends the address as it may be shown and kept: without user, password and query.
void tt_address_shown(tt_str *out, const char *url);
// Hides the password and the values of the query of `url` in a text.
void tt_address_hide(tt_str *text, const char *url);

// Copies a key from the environment to *out (free it) without white space around it; *out is NULL where it is NULL or
// empty. Errors: TT_ERR_CONFIG naming `variable` where a control character is inside; TT_ERR_NOMEM.
tt_status tt_key_read(char **out, const char *variable, const char *value) TT_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
