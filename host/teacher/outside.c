#include "host/teacher/outside.h"

#include "host/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORTEST_SECRET = 4 };

static void replace_all(tt_str *text, const char *secret, size_t length) {
    static const char instead[] = "[key]";
    const char *at = text->data, *end = text->data + text->length, *found;
    tt_str clean = {0};
    if (!at || length < SHORTEST_SECRET || !memmem(at, text->length, secret, length)) return;
    for (; (found = memmem(at, (size_t)(end - at), secret, length)); at = found + length) {
        tt_str_append_n(&clean, at, (size_t)(found - at));
        tt_str_append(&clean, instead);
    }
    tt_str_append_n(&clean, at, (size_t)(end - at));
    tt_str_close(text);
    *text = clean;
}

static void hide_part(tt_str *text, const char *secret, size_t length) {
    tt_str escaped = {0};
    replace_all(text, secret, length);
    if (!memchr(secret, '/', length)) return;
    for (size_t i = 0; i < length; ++i) {
        if (secret[i] == '/') tt_str_append(&escaped, "\\");
        tt_str_append_n(&escaped, &secret[i], 1);
    }
    replace_all(text, tt_str_text(&escaped), escaped.length);
    tt_str_close(&escaped);
}

void tt_outside_hide(tt_str *text, const char *secret) {
    if (secret) hide_part(text, secret, strlen(secret));
}

void tt_outside_line(char *text) {
    size_t bad;
    for (char *c = text; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    for (char *rest = text; !tt_utf8_valid(rest, strlen(rest), &bad); rest += bad + 1) rest[bad] = '?';
    for (char *c = text; *c; ++c) // U+0080 to U+009F are control characters, too
        if ((unsigned char)c[0] == 0xC2 && (unsigned char)c[1] < 0xA0) c[0] = c[1] = ' ';
}

void tt_outside_excerpt(char *out, size_t size, const char *text) {
    size_t n = strlen(text);
    const bool cut = n >= size;
    if (cut)
        for (n = size - 4; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;) --n;
    snprintf(out, size, "%.*s%s", (int)n, text, cut ? "..." : "");
    tt_outside_line(out);
}

// The parts of an address: scheme://user:password@host/path?query#fragment
typedef struct address {
    const char *host, *path_end, *password;
    size_t scheme, password_length;
} address;

static address split_address(const char *url) {
    const char *scheme = strstr(url, "://");
    const size_t path = strcspn(url, "?#");
    address a = {.scheme = scheme && scheme < url + path ? (size_t)(scheme - url) + 3 : 0};
    a.host = url + a.scheme;
    a.path_end = url + path;
    const size_t authority = strcspn(a.host, "/?#");
    const char *at = memrchr(a.host, '@', authority);
    if (!at) return a;
    const char *colon = memchr(a.host, ':', (size_t)(at - a.host));
    a.password = colon ? colon + 1 : a.host;
    a.password_length = (size_t)(at - a.password);
    a.host = at + 1;
    return a;
}

void tt_address_of_chat(tt_str *out, const char *url) {
    static const char chat[] = "/chat/completions";
    const address a = split_address(url);
    size_t length = (size_t)(a.path_end - url);
    const size_t query = strcspn(a.path_end, "#");
    while (length > a.scheme && url[length - 1] == '/') --length;
    tt_str_append_n(out, url, length);
    if (!tt_ends_with(tt_str_text(out), chat)) tt_str_append(out, chat);
    tt_str_append_n(out, a.path_end, query);
}

void tt_address_shown(tt_str *out, const char *url) {
    const address a = split_address(url);
    tt_str_append_n(out, url, a.scheme);
    tt_str_append_n(out, a.host, (size_t)(a.path_end - a.host));
}

void tt_address_hide(tt_str *text, const char *url) {
    const address a = split_address(url);
    if (a.password) hide_part(text, a.password, a.password_length);
    for (const char *at = a.path_end; *at; at += strcspn(at, "&#")) {
        ++at;
        const char *value = at + strcspn(at, "=&#");
        if (*value == '=') hide_part(text, value + 1, strcspn(value + 1, "&#"));
    }
}

tt_status tt_key_read(char **out, const char *variable, const char *value) {
    const char *text = value ? value : "";
    size_t length = strlen(text);
    *out = NULL;
    tt_trim(&text, &length);
    for (size_t i = 0; i < length; ++i)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return tt_fail(TT_ERR_CONFIG,
                "the environment variable %s has a control character inside, such as a line break; "
                "expected a key of one line",
                variable);
    if (length == 0) return TT_OK;
    TT_TRY(tt_alloc(out, length + 1, 1, "key"));
    memcpy(*out, text, length);
    (*out)[length] = '\0';
    return TT_OK;
}
