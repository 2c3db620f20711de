// How a world words its questions and knowledge.
#include "host/data/world/parts.h"
#include "host/text/stages.h"

#include <string.h>

const char *tt_pick(const tt_texts *texts, tt_rng *rng) {
    return texts->items[tt_rng_below(rng, (uint32_t)texts->n)];
}

int tt_draw(const int *weights, int n, tt_rng *rng) {
    int sum = 0, i = 0;
    for (int k = 0; k < n; ++k) sum += weights[k];
    int left = (int)tt_rng_below(rng, (uint32_t)sum);
    while (left >= weights[i]) left -= weights[i++];
    return i;
}

void tt_fill(tt_str *out, const char *pattern, const tt_blank *blanks, int n) {
    for (const char *p = pattern; *p;) {
        const char *open = strchr(p, '{'), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            tt_str_append(out, p);
            return;
        }
        tt_str_append_n(out, p, (size_t)(open - p));
        size_t length = (size_t)(close - open - 1);
        for (int i = 0; i < n; ++i)
            if (strlen(blanks[i].key) == length && memcmp(blanks[i].key, open + 1, length) == 0)
                tt_str_append(out, blanks[i].text);
        p = close + 1;
    }
}

const char *tt_unknown_blank(const char *pattern, const char *const *keys, int n, int *length) {
    for (const char *p = pattern; (p = strchr(p, '{')) != NULL;) {
        const char *close = strchr(p, '}');
        *length = close ? (int)(close - p - 1) : (int)strlen(p + 1);
        bool known = false;
        for (int i = 0; i < n && close; ++i)
            known = known ||
                    (strlen(keys[i]) == (size_t)*length && strncmp(keys[i], p + 1, (size_t)*length) == 0);
        if (!known) return p + 1;
        p = close;
    }
    return NULL;
}

void tt_with_article(tt_str *out, const char *noun) {
    bool vowel = noun[0] != '\0' && strchr("aeiouAEIOU", noun[0]) != NULL;
    if (tt_starts_with(noun, "uni") || tt_starts_with(noun, "eu")) vowel = false;
    if (tt_starts_with(noun, "hour")) vowel = true;
    tt_str_append(out, vowel ? "an " : "a ");
    tt_str_append(out, noun);
}

void tt_join(tt_str *out, const char *const *items, int n, bool articles) {
    for (int i = 0; i < n; ++i) {
        if (i > 0) tt_str_append(out, i == n - 1 ? " and " : ", ");
        if (articles)
            tt_with_article(out, items[i]);
        else
            tt_str_append(out, items[i]);
    }
}

void tt_say_predicate(
    tt_str *out, const tt_property *property, const char *const *values, int n, tt_rng *rng) {
    tt_str plain = {0}, with_articles = {0};
    tt_join(&plain, values, n, false);
    tt_join(&with_articles, values, n, true);
    tt_blank blanks[] = {{"v", tt_str_text(&plain)}, {"a v", tt_str_text(&with_articles)}};
    tt_fill(out, tt_pick(&property->predicates, rng), blanks, 2);
    out->failed = out->failed || plain.failed || with_articles.failed;
    tt_str_close(&plain);
    tt_str_close(&with_articles);
}

// Appends a pattern, filled in and closed as all knowledge is.
static void fill_knowledge(tt_str *out, const char *pattern, const tt_blank *blanks, int n) {
    tt_str text = {0};
    tt_fill(&text, pattern, blanks, n);
    tt_stage_close_knowledge(&text);
    tt_str_append(out, tt_str_text(&text));
    out->failed = out->failed || text.failed;
    tt_str_close(&text);
}

void tt_say_specific(
    tt_str *out, const tt_world *world, const tt_exercise *e, int option, int verdict, tt_rng *rng) {
    tt_str fact = {0}, thing = {0}, capital = {0};
    for (int k = 0; k < e->n_needs; ++k) {
        if (k > 0) tt_str_append(&fact, " and ");
        tt_say_predicate(&fact, e->property[k], e->values[k][option], e->n_values[k][option], rng);
    }
    tt_with_article(&thing, e->things[option]);
    tt_str_append(&capital, tt_str_text(&thing));
    if (capital.length > 0) capital.data[0] = 'A';
    uint32_t style = tt_rng_below(rng, (uint32_t)world->verdict_right.n);
    const char *said = verdict < 0    ? "."
                       : verdict == 1 ? world->verdict_right.items[style]
                                      : world->verdict_wrong.items[style];
    tt_blank blanks[] = {{"thing", e->things[option]}, {"a thing", tt_str_text(&thing)},
        {"A thing", tt_str_text(&capital)}, {"fact", tt_str_text(&fact)}, {"verdict", said}};
    fill_knowledge(out, tt_pick(&world->specific, rng), blanks, 5);
    out->failed = out->failed || fact.failed || thing.failed || capital.failed;
    tt_str_close(&fact);
    tt_str_close(&thing);
    tt_str_close(&capital);
}

void tt_say_question(tt_str *out, const tt_world *world, const tt_exercise *e, tt_rng *rng) {
    tt_str first = {0}, second = {0}, with_article = {0}, situation = {0};
    const char *name = tt_pick(&world->people, rng);
    tt_say_predicate(&first, e->property[0], &e->need[0], 1, rng);
    if (e->n_needs == 2) tt_say_predicate(&second, e->property[1], &e->need[1], 1, rng);
    tt_with_article(&with_article, e->need[0]);
    tt_blank person = {"name", name};
    if (e->situation) tt_fill(&situation, e->situation, &person, 1);
    tt_blank blanks[] = {person, {"first", tt_str_text(&first)}, {"second", tt_str_text(&second)},
        {"situation", tt_str_text(&situation)}, {"v", e->need[0]}, {"a v", tt_str_text(&with_article)}};
    if (e->n_needs == 2) {
        tt_fill(out, tt_pick(e->situation ? &world->two_situations : &world->two_questions, rng), blanks, 6);
    } else if (e->situation) {
        tt_str_append(out, tt_str_text(&situation));
        tt_str_append(out, " ");
        tt_fill(out, tt_pick(&e->property[0]->endings, rng), blanks, 6);
    } else {
        tt_fill(out, tt_pick(&e->property[0]->questions, rng), blanks, 6);
    }
    out->failed = out->failed || first.failed || second.failed || with_article.failed || situation.failed;
    tt_str_close(&first);
    tt_str_close(&second);
    tt_str_close(&with_article);
    tt_str_close(&situation);
}

void tt_say_general(tt_str *out, const tt_world *world, const tt_exercise *e, tt_rng *rng) {
    tt_str need = {0};
    for (int k = 0; k < e->n_needs; ++k) {
        if (k > 0) tt_str_append(&need, " and ");
        tt_say_predicate(&need, e->property[k], &e->need[k], 1, rng);
    }
    tt_blank blank = {"need", tt_str_text(&need)};
    fill_knowledge(out, tt_pick(&world->general, rng), &blank, 1);
    out->failed = out->failed || need.failed;
    tt_str_close(&need);
}
