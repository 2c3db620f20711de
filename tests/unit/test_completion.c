// Requests and answers of the wire, and when the next request may go: by hand, without a network.
#include "host/teacher/completion.h"
#include "host/teacher/limits.h"

#include "tests/expect.h"

#include <stdlib.h>
#include <string.h>

static void bodies_speak_the_endpoint_s_dialect(void **state) {
    (void)state;
    const tt_chat chat = {.model = "m",
        .system = "say \"it\"",
        .user = "why?\n",
        .n = 8,
        .max_tokens = 256,
        .temperature = 0.8,
        .seed = 40};
    tt_str body = {0};
    tt_dialect dialect = {0};
    OK(tt_completion_body(&body, &chat, &dialect, 3));
    assert_string_equal(body.data,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"say \\\"it\\\"\"},"
        "{\"role\":\"user\",\"content\":\"why?\\n\"}],\"n\":8,\"max_tokens\":256,\"temperature\":0.8,"
        "\"seed\":40}");
    const char *errors[] = {"{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens'. Use "
                            "'max_completion_tokens' instead.\","
                            "\"param\":\"max_tokens\"}}",
        "{\"error\":{\"message\":\"'temperature' does not support 0.8\",\"param\":\"temperature\"}}",
        "{\"error\":{\"message\":\"only one completion choice is allowed\",\"param\":\"n\"}}"};
    for (int i = 0; i < 3; ++i) {
        assert_true(tt_dialect_learn(&dialect, &chat, errors[i], strlen(errors[i])));
        assert_false(tt_dialect_learn(&dialect, &chat, errors[i], strlen(errors[i])));
    }
    tt_str_clear(&body);
    OK(tt_completion_body(&body, &chat, &dialect, 3));
    assert_string_equal(strstr(body.data, "],"), "],\"max_completion_tokens\":256,\"seed\":43}");
    const char *other = "{\"error\":{\"message\":\"too long a prompt\",\"param\":\"messages\"}}";
    assert_false(tt_dialect_learn(&dialect, &chat, other, strlen(other)));
    tt_str_close(&body);
}

static void a_schema_names_the_options(void **state) {
    (void)state;
    const tt_chat chat = {
        .model = "m", .system = "s", .user = "u", .n = 1, .max_tokens = 9, .seed = -1, .json_options = 3};
    tt_str body = {0};
    OK(tt_completion_body(&body, &chat, &(tt_dialect){0}, 0));
    assert_non_null(
        strstr(body.data, "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
                          "\"explanations\",\"strict\":true,\"schema\":{\"type\":\"object\","));
    assert_non_null(strstr(body.data, "\"enum\":[\"A\",\"B\",\"C\"]"));
    assert_non_null(strstr(body.data, "\"required\":[\"option\",\"correct\",\"because\"]"));
    tt_str_close(&body);
}

static void answers_are_read_or_named_as_broken(void **state) {
    (void)state;
    tt_arena memory = {0};
    tt_completion c;
    const char *good = "{\"choices\":[{\"message\":{\"content\":\"one\",\"reasoning_content\":\"hm\"},"
                       "\"finish_reason\":\"stop\"},"
                       "{\"message\":{\"content\":\"two\"},\"finish_reason\":\"length\"},"
                       "{\"message\":{\"content\":null,\"refusal\":\"no\"},\"finish_reason\":\"stop\"},"
                       "{\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\"}],"
                       "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":30}}";
    OK(tt_completion_read(&c, good, strlen(good), &memory));
    assert_int_equal(c.n, 4);
    assert_string_equal(c.choices[0].text, "one");
    assert_string_equal(c.choices[0].reasoning, "hm");
    assert_false(c.choices[0].cut);
    assert_true(c.choices[1].cut);
    assert_true(c.choices[2].refused);
    assert_string_equal(c.choices[2].text, "");
    assert_true(c.choices[3].refused);
    assert_int_equal(c.prompt_tokens, 7);
    assert_int_equal(c.completion_tokens, 30);
    static const char *const broken[] = {"", "<html>", "{\"choices\":[{\"message\":{\"content\":\"on", "{}",
        "{\"choices\":[]}", "{\"choices\":7}", "[]", "{\"choices\":[{}]}",
        "{\"choices\":[{\"massage\":{\"content\":\"one\"}}]}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; ++i)
        assert_int_equal(tt_completion_read(&c, broken[i], strlen(broken[i]), &memory), TT_ERR_FORMAT);
    const char *bare = "{\"choices\":[{\"message\":{}}]}"; // an empty text is the parser's to reject
    OK(tt_completion_read(&c, bare, strlen(bare), &memory));
    assert_string_equal(c.choices[0].text, "");
    assert_int_equal(c.prompt_tokens, -1);
    tt_arena_close(&memory);
}

static void near(double a, double b) {
    if (!(a - b < 1e-9 && b - a < 1e-9)) fail_msg("%.12g instead of %.12g", a, b);
}

static void buckets_empty_and_fill(void **state) {
    (void)state;
    tt_limits l;
    tt_limits_open(&l, 60, 6000, 100); // one a second, in hand 6; 100 tokens a second, in hand 600
    for (int i = 0; i < 6; ++i) {
        near(tt_limits_wait(&l, 50, 100), 0);
        tt_limits_spend(&l, 50, 100);
    }
    near(tt_limits_wait(&l, 50, 100), 1);    // requests: 0 left; tokens: 300 left
    near(tt_limits_wait(&l, 450, 100), 1.5); // tokens: 150 short
    near(tt_limits_wait(&l, 9999, 100), 3);  // more than a bucket: until it is full
    near(tt_limits_wait(&l, 50, 100.25), 0.75);
    near(tt_limits_wait(&l, 50, 101), 0);
    tt_limits_spend(&l, 50, 101);
    tt_limits_correct(&l, 1000); // it took a thousand more
    near(tt_limits_wait(&l, 0, 101), 6.5);
    tt_limits_pause(&l, 20, 101);
    tt_limits_pause(&l, 5, 101); // the longer pause holds
    near(tt_limits_wait(&l, 0, 111), 10);
    tt_limits_open(&l, 0, 0, 0);
    tt_limits_spend(&l, 1e9, 0);
    near(tt_limits_wait(&l, 1e9, 0), 0);
}

static void waiting_times_are_read(void **state) {
    (void)state;
    const int64_t today = 1445412480; // Wed, 21 Oct 2015 07:28:00 GMT
    near(tt_retry_after("20", 0), 20);
    near(tt_retry_after(" 1.5 ", 0), 1.5);
    near(tt_retry_after("Wed, 21 Oct 2015 07:28:30 GMT", today), 30);
    near(tt_retry_after("Wed, 21 Oct 2015 07:27:00 GMT", today), 0); // it has passed
    near(tt_retry_after("soon", 0), -1);
    near(tt_retry_after("", 0), -1);
    near(tt_retry_after("-5", 0), -1);
    near(tt_reset_after("1.5s"), 1.5);
    near(tt_reset_after("6m0s"), 360);
    near(tt_reset_after("350ms"), 0.35);
    near(tt_reset_after("1h2m"), 3720);
    near(tt_reset_after("7"), -1);
    near(tt_reset_after(""), -1);
    near(tt_back_off(1, 0.5), 1);
    near(tt_back_off(4, 0), 4);
    near(tt_back_off(50, 1), 90);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies_speak_the_endpoint_s_dialect),
        cmocka_unit_test(a_schema_names_the_options), cmocka_unit_test(answers_are_read_or_named_as_broken),
        cmocka_unit_test(buckets_empty_and_fill), cmocka_unit_test(waiting_times_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
