// What `tinythinker teach` is told: a plan, a pool of exemplars, a table of prices.
#include "tests/fuzz/fuzz.h"

#include "host/teacher/answer.h"
#include "host/teacher/plan.h"
#include "host/teacher/pool.h"
#include "host/teacher/prices.h"

#include <math.h>

static const char *const names[] = {"plan.yaml", "pool.yaml", "prices.yaml"};

// An exemplar is what an answer should be.
static void check_exemplar(const tt_exemplar *e) {
    tt_arena memory = {0};
    tt_str text = {0};
    tt_teacher_choice choice;
    tt_str_format(&text, "Key Information: %s\nExplanations: ", e->key_information);
    for (int i = 0; i < e->n_options; ++i) tt_str_format(&text, "%s\n", e->explanations[i]);
    fuzz_must(tt_teacher_read(&choice, &(tt_teacher_text){.text = tt_str_text(&text)}, e->n_options, &memory),
        "an exemplar is not read");
    fuzz_require(choice.verdict == TT_CHOICE_KEPT && choice.answer == e->answer,
        "an accepted exemplar is not what a teacher's answer should be");
    tt_str_close(&text);
    tt_arena_close(&memory);
}

static void use_pool(const tt_pool *pool) {
    static const char *const options[] = {"red", "blue"};
    const tt_question question = {.id = "q", .text = "Which?", .options = options, .n_options = 2};
    for (int json = 0; json < 2; ++json) {
        const tt_message_rules rules = {.exemplars = pool->n < 3 ? pool->n : 3, .json = json, .seed = 1};
        tt_str system = {0}, user = {0};
        (void)fuzz_accepted(tt_pool_messages(pool, &question, 1, &rules, &system, &user));
        tt_str_close(&system);
        tt_str_close(&user);
    }
    for (int i = 0; i < pool->n; ++i) check_exemplar(&pool->exemplars[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_teach_plan plan;
    tt_pool pool;
    tt_price price;
    fuzz_begin(data, size);
    const unsigned have = fuzz_write_files(data, size, names, 3);
    if (have & 1 && fuzz_accepted(tt_teach_plan_load(&plan, "plan.yaml", NULL, 0)))
        tt_teach_plan_close(&plan);
    if (have & 2 && fuzz_accepted(tt_pool_load(&pool, "pool.yaml"))) {
        use_pool(&pool);
        tt_pool_close(&pool);
    }
    if (have & 4 && fuzz_accepted(tt_price_load(&price, "prices.yaml", "my-teacher")))
        fuzz_require(isfinite(tt_price_of(&price, 1000000, 1000000)), "a price is not a finite number");
    return fuzz_end();
}
