// Requests and answers of the wire, and when the next request may go: by hand, without a network.
#include "host/teacher/completion.h"
#include "host/teacher/limits.h"
#include "host/teacher/outside.h"
#include "host/teacher/pacing.h"

#include "tests/expect.h"

#include <stdio.h>
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
    const tt_dialect_use all = {true, true, true};
    OK(tt_completion_body(&body, &chat, &dialect));
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
        assert_true(tt_dialect_learn(&dialect, &all, errors[i], strlen(errors[i])));
        assert_false(tt_dialect_learn(&dialect, &all, errors[i], strlen(errors[i])));
    }
    tt_str_clear(&body);
    OK(tt_completion_body(&body, &chat, &dialect));
    assert_string_equal(strstr(body.data, "],"), "],\"max_completion_tokens\":256,\"seed\":40}");
    const char *other = "{\"error\":{\"message\":\"too long a prompt\",\"param\":\"messages\"}}";
    assert_false(tt_dialect_learn(&dialect, &all, other, strlen(other)));
    tt_str_close(&body);
}

// Body of a 400 or 422, what is learned (a word of TT_DIALECT_MAP, "" = nothing), and what people are told.
static void errors_are_understood_in_each_form(void **state) {
    (void)state;
    static const struct {
        const char *body, *word, *message;
    } rows[] = {{"{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"Extra inputs are not permitted\"}]}", "n",
                    "Extra inputs are not permitted"},
        {"{\"object\":\"error\",\"message\":{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra "
         "inputs\"}]}}",
            "seed", "seed: Extra inputs"},
        {"{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"no\"},{\"loc\":[\"body\",\"top\"],\"msg\":"
         "\"yes\"}]}",
            "seed", "seed: no; top: yes"},
        {"{\"detail\":\"temperature is not supported\"}", "temperature", "temperature is not supported"},
        {"{\"error\":{\"message\":\"temperature of the reactor\",\"param\":\"messages\"}}", "",
            "messages: temperature of the reactor"},
        {"{\"error\":\"json_schema is not known\"}", "response_format", "json_schema is not known"},
        {"[{\"error\":{\"message\":\"two\\nlines\\u001b[2J\"}}]", "", "two lines [2J"}, {"<html>", "", ""},
        {"\xef\xbb\xbf{\"detail\":\"seed is not supported\",\"at\":NaN}", "seed", "seed is not supported"},
        {"", "", ""}, {"{\"error\":{\"message\":7}}", "", ""}};
    const tt_dialect_use all = {true, true, true}, none = {false, false, false};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        tt_dialect dialect = {0};
        const char *word = "", *meaning;
        char message[320];
        const size_t n = strlen(rows[i].body);
        const bool learned = tt_dialect_learn(&dialect, &all, rows[i].body, n);
        tt_dialect_change(&(tt_dialect){0}, &dialect, &word, &meaning);
        assert_string_equal(word, rows[i].word);
        assert_int_equal(learned, *rows[i].word != 0);
        tt_completion_error(rows[i].body, n, message, sizeof message);
        assert_string_equal(message, rows[i].message);
    }
    tt_dialect dialect = {0}; // what was not sent is not at fault
    assert_false(tt_dialect_learn(&dialect, &none, rows[0].body, strlen(rows[0].body)));
}

static void a_schema_names_the_options(void **state) {
    (void)state;
    const tt_chat chat = {
        .model = "m", .system = "s", .user = "u", .n = 1, .max_tokens = 9, .seed = -1, .json_options = 3};
    tt_str body = {0};
    OK(tt_completion_body(&body, &chat, &(tt_dialect){0}));
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
    // As servers in Python write it: a byte order mark, numbers that JSON does not have. Nothing that was paid for is lost.
    const char *python =
        "\xef\xbb\xbf{\"choices\":[{\"error\":NaN,\"logprobs\":{\"content\":[{\"logprob\":-Infinity}]},"
        "\"message\":{\"content\":\"NaN, or\\u0000\\ud800\"},\"x\":1000000000000000000000000000000}],"
        "\"usage\":{\"prompt_tokens\":NaN,\"completion_tokens\":30,\"cost\":1e999}}";
    OK(tt_completion_read(&c, python, strlen(python), &memory));
    assert_int_equal(c.n, 1);
    assert_string_equal(c.choices[0].text, "NaN, or\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_int_equal(c.prompt_tokens, -1);
    assert_int_equal(c.completion_tokens, 30);
    const char *bare = "{\"choices\":[{\"message\":{}}]}"; // an empty text is the parser's to reject
    OK(tt_completion_read(&c, bare, strlen(bare), &memory));
    assert_string_equal(c.choices[0].text, "");
    assert_int_equal(c.prompt_tokens, -1);
    tt_arena_close(&memory);
}

// One choice: its message, and what is read of it: text, refused, broken.
static void choices_are_read_in_each_form(void **state) {
    (void)state;
    static const struct {
        const char *message, *text;
        bool refused, broken;
    } rows[] = {{"{\"content\":\"a\",\"refusal\":\"\"}", "a", false, false},
        {"{\"content\":\"a\",\"refusal\":\"no\"}", "a", true, false},
        {"{\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\",{\"type\":\"x\"}]}", "ab", false, false},
        {"{\"content\":\"a\\u0000b\"}",
            "a\xEF\xBF\xBD"
            "b",
            false, true},
        {"{\"content\":\"a\\ud800b\"}",
            "a\xEF\xBF\xBD"
            "b",
            false, true},
        {"{\"content\":\"a\\udc00\\ud83d\\ude00\"}", "a\xEF\xBF\xBD\xF0\x9F\x98\x80", false, true},
        {"{\"content\":\"\\ud83d\\ude00\"}", "\xF0\x9F\x98\x80", false, false},
        {"{\"content\":\"a\\\\ud800\"}", "a\\ud800", false, false},
        {"{\"content\":\"a\xFF\xC3\xA9\"}", "a\xEF\xBF\xBD\xC3\xA9", false, true},
        {"{\"content\":7}", "", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        tt_arena memory = {0};
        tt_completion c;
        char body[400];
        const int n = snprintf(body, sizeof body,
            "{\"choices\":[{\"message\":{\"content\":\"first\"}},{\"message\":%s},"
            "{\"error\":{\"message\":\"died\"},\"message\":{\"content\":\"\"}}]}",
            rows[i].message);
        OK(tt_completion_read(&c, body, (size_t)n, &memory));
        assert_int_equal(c.n, 2);
        assert_string_equal(c.choices[0].text, "first");
        assert_false(c.choices[0].broken);
        assert_string_equal(c.choices[1].text, rows[i].text);
        assert_int_equal(c.choices[1].refused, rows[i].refused);
        assert_int_equal(c.choices[1].broken, rows[i].broken);
        tt_arena_close(&memory);
    }
}

// What stands in place of an answer is told, and what it cost is counted.
static void broken_answers_say_why_and_what_they_cost(void **state) {
    (void)state;
    static const struct {
        const char *body, *why;
        int64_t prompt, written;
    } rows[] = {{"{\"error\":{\"message\":\"overloaded\"}}", "in place of an answer: overloaded", -1, -1},
        {"{\"choices\":[{\"finish_reason\":\"error\",\"error\":{\"message\":\"died\"}}],\"usage\":{\"prompt_"
         "tokens\":5,"
         "\"completion_tokens\":0}}",
            "in place of an answer: died", 5, 0},
        {"{\"choices\":[{}],\"usage\":{\"prompt_tokens\":5000,\"completion_tokens\":2000}}", "no \"message\"",
            5000, 2000},
        {"{\"choices\":[],\"usage\":{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":-3}}",
            "empty", -1, -1},
        {"{\"usage\":{\"prompt_tokens\":\"100\",\"completion_tokens\":1.5}}", "no \"choices\"", -1, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        tt_arena memory = {0};
        tt_completion c;
        assert_int_equal(tt_completion_read(&c, rows[i].body, strlen(rows[i].body), &memory), TT_ERR_FORMAT);
        if (!strstr(tt_error_message(), rows[i].why)) fail_msg("'%s'", tt_error_message());
        assert_int_equal(c.n, 0);
        assert_int_equal(c.prompt_tokens, rows[i].prompt);
        assert_int_equal(c.completion_tokens, rows[i].written);
        tt_arena_close(&memory);
    }
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
    near(tt_reset_after("7"), 7);
    near(tt_reset_after("7x"), -1);
    near(tt_reset_after("2015-10-21T07:28:00Z"), -1);
    near(tt_reset_after(""), -1);
    near(tt_reset_after("99999999999999999999h"), 1e10);
    near(tt_retry_after("99999999999999999999", 0), 1e10);
    near(tt_retry_after("Wed, 21 Oct 2099 07:28:00 GMT", today), 2650838400);
    near(tt_retry_after("Wed, 99999999999 Oct 99999999999 07:28:00 GMT", today), -1);
    near(tt_back_off(1, 0.5), 1);
    near(tt_back_off(4, 0), 4);
    near(tt_back_off(50, 1), 90);
}

// The head of an answer, and the pause before a request of 100 tokens.
static void headers_ask_for_pauses(void **state) {
    (void)state;
    static const struct {
        const char *lines[3];
        double retry_after, pause;
    } rows[] = {{{"Retry-After: 7\r\n"}, 7, 0}, {{"retry-after-ms: 250\r\n", "Retry-After: 1\r\n"}, 0.25, 0},
        {{"Retry-After: 1\r\n", "retry-after-ms: 250\r\n"}, 0.25, 0}, {{"Retry-After: soon\r\n"}, -1, 0},
        {{"X-RateLimit-Remaining-Requests: 0\r\n", "x-ratelimit-reset-requests: 2\r\n"}, -1, 2},
        {{"x-ratelimit-remaining-requests: 1\r\n", "x-ratelimit-reset-requests: 2\r\n"}, -1, 0},
        {{"x-ratelimit-remaining-requests: 0\r\n", "x-ratelimit-reset-requests: 99999999h\r\n"}, -1, 60},
        {{"x-ratelimit-remaining-tokens: \r\n", "x-ratelimit-reset-tokens: 24h\r\n"}, -1, 0},
        {{"x-ratelimit-remaining-tokens: 99\r\n", "x-ratelimit-reset-tokens: 1.5s\r\n"}, -1, 1.5},
        {{"x-ratelimit-remaining-tokens: 100\r\n", "x-ratelimit-reset-tokens: 1.5s\r\n"}, -1, 0},
        {{"x-ratelimit-remaining-tokens: 0\r\n"}, -1, 0}, {{"HTTP/1.1 200 OK\r\n", "\r\n"}, -1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        tt_pacing p;
        tt_pacing_open(&p);
        for (int k = 0; k < 3 && rows[i].lines[k]; ++k)
            tt_pacing_read(&p, rows[i].lines[k], strlen(rows[i].lines[k]), 0);
        near(p.retry_after, rows[i].retry_after);
        near(tt_pacing_pause(&p, 100), rows[i].pause);
    }
}

static void addresses_are_completed_and_shown_without_secrets(void **state) {
    (void)state;
    static const char *const rows[][3] = {{"http://h/v1", "http://h/v1/chat/completions", "http://h/v1"},
        {"http://h/v1//", "http://h/v1/chat/completions", "http://h/v1//"},
        {"http://h/v1/chat/completions", "http://h/v1/chat/completions", "http://h/v1/chat/completions"},
        {"https://h/d/?api-version=2&api-key=SECRET",
            "https://h/d/chat/completions?api-version=2&api-key=SECRET", "https://h/d/"},
        {"http://me:P@SS@h:8/v1#x", "http://me:P@SS@h:8/v1/chat/completions", "http://h:8/v1"},
        {"h:8", "h:8/chat/completions", "h:8"}, {"", "/chat/completions", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        tt_str chat = {0}, shown = {0};
        tt_address_of_chat(&chat, rows[i][0]);
        tt_address_shown(&shown, rows[i][0]);
        assert_string_equal(tt_str_text(&chat), rows[i][1]);
        assert_string_equal(tt_str_text(&shown), rows[i][2]);
        tt_str_close(&chat);
        tt_str_close(&shown);
    }
    tt_str text = {0};
    tt_str_append(&text, "bad key sk/12345, sk\\/12345; P@SS word; 2024-02 and SECRET");
    tt_outside_hide(&text, "sk/12345");
    tt_address_hide(&text, "http://me:P@SS@h/v1?version=2024-02&key=SECRET&x");
    assert_string_equal(text.data, "bad key [key], [key]; [key] word; [key] and [key]");
    tt_str_close(&text);
}

static void a_key_is_one_line(void **state) {
    (void)state;
    char *key;
    OK(tt_key_read(&key, "K", " sk-1\r\n"));
    assert_string_equal(key, "sk-1");
    free(key);
    OK(tt_key_read(&key, "K", NULL));
    assert_null(key);
    OK(tt_key_read(&key, "K", "\n"));
    assert_null(key);
    assert_int_equal(tt_key_read(&key, "K", "sk-1\r\nX: 2"), TT_ERR_CONFIG);
    assert_non_null(strstr(tt_error_message(), "variable K"));
    assert_null(strstr(tt_error_message(), "sk-1"));
    char line[12];
    tt_outside_excerpt(line, sizeof line, "a\nb\x1b\xC2\x9B\xFF");
    assert_string_equal(line, "a b   ?");
    tt_outside_excerpt(line, sizeof line, "1234567\xC3\xA9 and more");
    assert_string_equal(line, "1234567...");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies_speak_the_endpoint_s_dialect),
        cmocka_unit_test(errors_are_understood_in_each_form), cmocka_unit_test(choices_are_read_in_each_form),
        cmocka_unit_test(broken_answers_say_why_and_what_they_cost), cmocka_unit_test(headers_ask_for_pauses),
        cmocka_unit_test(addresses_are_completed_and_shown_without_secrets),
        cmocka_unit_test(a_key_is_one_line), cmocka_unit_test(a_schema_names_the_options),
        cmocka_unit_test(answers_are_read_or_named_as_broken), cmocka_unit_test(buckets_empty_and_fill),
        cmocka_unit_test(waiting_times_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
