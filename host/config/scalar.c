#include "host/config/scalar.h"

#include "host/base/number.h"
#include "host/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 64 };

static bool is_word(const char *text, const char *const *words, int n) {
    for (int i = 0; i < n; ++i) {
        const size_t length = strlen(words[i]);
        if (strlen(text) != length) continue;
        bool lower = true, upper = true, capital = true; // YAML 1.1 has yes, Yes and YES, but not yEs
        for (size_t k = 0; k < length; ++k) {
            const char up = (char)toupper((unsigned char)words[i][k]);
            lower = lower && text[k] == words[i][k];
            upper = upper && text[k] == up;
            capital = capital && text[k] == (k ? words[i][k] : up);
        }
        if (lower || upper || capital) return true;
    }
    return false;
}

static size_t count_digits(const char *text) {
    return strspn(text, "0123456789");
}

// Decimal integers and reals, without sign; `text` has no underscores.
static void read_decimal(const char *text, tt_scalar *out) {
    const size_t before = count_digits(text);
    const char *rest = text + before;
    const bool point = *rest == '.';
    const size_t after = point ? count_digits(rest + 1) : 0;
    if (before + after == 0) return;
    rest += point ? after + 1 : 0;
    const bool power = *rest == 'e' || *rest == 'E';
    if (power) {
        rest += 1 + (rest[1] == '-' || rest[1] == '+');
        if (count_digits(rest) == 0) return;
        rest += count_digits(rest);
    }
    if (*rest) return;
    const bool zeros = before > 1 && text[0] == '0';
    if (zeros && !point && !power && strspn(text, "01234567") != before)
        return; // 08 has a digit that octal lacks
    errno = 0;
    const double number = tt_parse_double(text, NULL);
    if (errno && number < 1) return; // too small for a double
    out->kind = point || power ? TT_SCALAR_REAL : TT_SCALAR_INTEGER;
    out->number = number;
    out->changes =
        zeros || (point && (before == 0 || after == 0 || (text[before + after] == '0' && after > 1)));
    if (zeros && out->kind == TT_SCALAR_INTEGER && strtoull(text, NULL, 8) != strtoull(text, NULL, 10)) {
        out->number = (double)strtoull(text, NULL, 8);
        out->unclear = true;
    }
}

// Numbers to the base of 60, as 1:30:00.
static void read_sexagesimal(const char *text, tt_scalar *out) {
    double sum = 0;
    if (*text == '0') return;
    for (bool first = true;; first = false) {
        const size_t n = count_digits(text);
        const double part = tt_parse_double(text, NULL);
        if (n == 0 || (!first && (n > 2 || part >= 60))) return;
        sum = 60 * sum + floor(part);
        text += n;
        if (*text != ':') break;
        ++text;
    }
    if (*text == '.') text += 1 + count_digits(text + 1);
    if (*text) return;
    *out = (tt_scalar){.kind = TT_SCALAR_INTEGER, .number = sum, .unclear = true, .changes = true};
}

// Infinity and "not a number", without sign.
static bool is_special(const char *text, const char *lower, const char *capital, const char *upper) {
    return strcmp(text, lower) == 0 || strcmp(text, capital) == 0 || strcmp(text, upper) == 0;
}

static void read_number(const char *text, tt_scalar *out) {
    char digits[LONGEST_NUMBER], *to = digits;
    const bool sign = *text == '-' || *text == '+';
    const char *from = text + sign;
    if (!isdigit((unsigned char)*from) && *from != '.') return;
    for (; *from && to < digits + sizeof digits - 1; ++from)
        if (*from != '_') *to++ = *from;
    *to = '\0';
    if (*from) return;
    const int base = digits[0] != '0' ? 0 : digits[1] == 'x' ? 16 : digits[1] == 'b' ? 2 : 0;
    if (base) {
        if (!digits[2] || digits[2 + strspn(digits + 2, base == 2 ? "01" : "0123456789abcdefABCDEF")]) return;
        *out = (tt_scalar){
            .kind = TT_SCALAR_INTEGER, .number = (double)strtoull(digits + 2, NULL, base), .changes = true};
    } else if (strchr(digits, ':')) {
        read_sexagesimal(digits, out);
    } else if (is_special(text + sign, ".inf", ".Inf", ".INF")) {
        *out = (tt_scalar){.kind = TT_SCALAR_REAL, .number = INFINITY, .changes = true};
    } else if (is_special(text, ".nan", ".NaN", ".NAN")) {
        *out = (tt_scalar){.kind = TT_SCALAR_REAL, .number = NAN, .changes = true};
    } else {
        read_decimal(digits, out);
    }
    if (out->kind == TT_SCALAR_STRING) return; // ./my_runs, 2026_run, +1 for yes
    if (*text == '-') out->number = -out->number;
    out->changes = out->changes || *text == '+' || strchr(text, '_');
}

tt_scalar tt_scalar_read(const char *text) {
    static const char *const nothing[] = {"", "~", "null"}, *const yes[] = {"true", "yes", "on"},
                             *const no[] = {"false", "no", "off"};
    tt_scalar out = {.kind = TT_SCALAR_STRING};
    if (is_word(text, nothing, 3))
        out.kind = TT_SCALAR_NULL;
    else if (is_word(text, yes, 3) || is_word(text, no, 3))
        out = (tt_scalar){.kind = TT_SCALAR_BOOL, .yes = is_word(text, yes, 3)};
    else
        read_number(text, &out);
    return out;
}

const char *tt_yaml_text(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

tt_scalar tt_scalar_of(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return (tt_scalar){.kind = TT_SCALAR_STRING};
    return tt_scalar_read((const char *)node->data.scalar.value);
}

const char *tt_scalar_name(const yaml_node_t *node) {
    static _Thread_local char name[96];
    if (node->type == YAML_SEQUENCE_NODE) return "a list";
    if (node->type != YAML_SCALAR_NODE) return "a mapping (key: value)";
    const char *text = (const char *)node->data.scalar.value;
    const tt_scalar s = tt_scalar_of(node);
    const int most = 40;
    if (!text || (s.kind == TT_SCALAR_NULL && !*text)) return "nothing";
    if (s.kind == TT_SCALAR_STRING)
        snprintf(name, sizeof name, "the string \"%.*s\"", most, text);
    else if (s.kind == TT_SCALAR_NULL || s.kind == TT_SCALAR_BOOL)
        snprintf(name, sizeof name, "%s, which YAML reads as %s", text,
            s.kind == TT_SCALAR_NULL ? "nothing"
            : s.yes                  ? "true"
                                     : "false");
    else if (s.changes)
        tt_format(name, sizeof name, "%.*s, which YAML reads as the number %.10g", most, text, s.number);
    else
        snprintf(name, sizeof name, "the number %.*s", most, text);
    return name;
}

static tt_status fail_unclear(const char *key, const char *text, double number) {
    return tt_fail(TT_ERR_CONFIG,
        "%s: '%s' is %.10g in YAML 1.1 (%s); write %.10g, or the number that you mean without %s", key, text,
        number, strchr(text, ':') ? "to the base of 60" : "octal", number,
        strchr(text, ':') ? "colons" : "the leading 0");
}

tt_status tt_number_read(const char *key, const char *text, const tt_number_range *range, double *out) {
    const tt_scalar s = tt_scalar_read(text);
    const bool number = s.kind == TT_SCALAR_INTEGER || s.kind == TT_SCALAR_REAL;
    if (number && s.unclear) return fail_unclear(key, text, s.number);
    if (!number || !isfinite(s.number) || (range->whole && s.number != floor(s.number)))
        return tt_fail(TT_ERR_CONFIG, "%s: expected a %s, got '%s'", key,
            range->whole ? "whole number" : "number", text);
    if (s.number < range->low || s.number > range->high)
        return tt_fail(TT_ERR_CONFIG, "%s: %s is out of range; allowed are %.10g to %.10g", key, text,
            range->low, range->high);
    *out = s.number;
    return TT_OK;
}

tt_status tt_bool_read(const char *key, const char *text, bool *out) {
    const tt_scalar s = tt_scalar_read(text);
    if (s.kind != TT_SCALAR_BOOL)
        return tt_fail(TT_ERR_CONFIG, "%s: expected true or false, got '%s'", key, text);
    *out = s.yes;
    return TT_OK;
}

tt_status tt_string_of(const char *key, const yaml_node_t *node, const char **out) {
    const tt_scalar s = tt_scalar_of(node);
    const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
    if (!text || s.kind == TT_SCALAR_NULL)
        return tt_fail(TT_ERR_CONFIG, "%s: expected a string, got %s", key, tt_scalar_name(node));
    if (!tt_utf8_valid(text, node->data.scalar.length, NULL)) // an escape \0 in quotes
        return tt_fail(TT_ERR_CONFIG, "%s: expected a string, got a NUL character in it", key);
    if (s.kind == TT_SCALAR_BOOL || s.changes)
        return tt_fail(TT_ERR_CONFIG, "%s: expected a string, got %s; write it in quotes: \"%.100s\"", key,
            tt_scalar_name(node), text);
    *out = text;
    return TT_OK;
}

tt_status tt_plain_of(const char *key, const char *expected, const yaml_node_t *node, const char **out) {
    const bool scalar = node->type == YAML_SCALAR_NODE;
    const bool quoted = scalar && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!scalar || quoted || tt_scalar_of(node).kind == TT_SCALAR_NULL)
        return tt_fail(TT_ERR_CONFIG, "%s: expected %s, got %s%s", key, expected, tt_scalar_name(node),
            quoted ? "; write it without quotes" : "");
    *out = (const char *)node->data.scalar.value;
    return TT_OK;
}
