// Reading CSV: records by RFC 4180, and every mistake with its line.
#include "host/base/fs.h"
#include "host/data/import/csv.h"
#include "tests/expect.h"

#include <stdio.h>
#include <string.h>

#define FILE_NAME "csv_test.csv"

static void write_csv(const char *text, size_t n) {
    OK(tt_write_file(FILE_NAME, text, n));
}

// All records in one text: fields between [ and ], a record's line before them.
static tt_status read_all(const char *text, size_t n, char *out, size_t size) {
    tt_csv csv;
    bool more = true;
    size_t length = 0;
    write_csv(text, n);
    TT_TRY(tt_csv_open(&csv, FILE_NAME));
    tt_status status = TT_OK;
    while (more && status == TT_OK) {
        status = tt_csv_next(&csv, &more);
        if (!more || status != TT_OK) break;
        length += (size_t)snprintf(out + length, size - length, "%d:", csv.line);
        for (size_t i = 0; i < csv.n_fields; ++i)
            length += (size_t)snprintf(out + length, size - length, "[%s]", csv.fields[i]);
    }
    tt_csv_close(&csv);
    return status;
}

static void records(void **state) {
    (void)state;
    static const struct {
        const char *text, *read;
    } cases[] = {
        {"a,b\r\n1,2\r\n3,4\r\n", "2:[1][2]3:[3][4]"},
        {"a,b\n1,2\n3,4", "2:[1][2]3:[3][4]"},
        {"\xef\xbb\xbf"
         "a,b\r\n1,2\r\n",
            "2:[1][2]"},
        {"a,b\n\"one, two\",\"say \"\"so\"\"\"\n", "2:[one, two][say \"so\"]"},
        {"a,b\n\"two\r\nlines\",x\ny,z\n", "2:[two\r\nlines][x]4:[y][z]"},
        {"a,b\n\"\",\n,\"\"\n", "2:[][]3:[][]"},
        {"a,b\n , x \n", "2:[ ][ x ]"},
        {"a,b\n\n\r\n1,2\n\n", "4:[1][2]"},
        {"a\nx\n\"\"\"\"\n", "2:[x]3:[\"]"},
        {"\"a\",\"b\"\n1,\"2\"", "2:[1][2]"},
        {"a,b\n", ""},
        {"a,b\nh\xc3\xa4t,\"\xe2\x80\x9cso\xe2\x80\x9d\"\n", "2:[h\xc3\xa4t][\xe2\x80\x9cso\xe2\x80\x9d]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char read[256] = "";
        OK(read_all(cases[i].text, strlen(cases[i].text), read, sizeof read));
        assert_string_equal(read, cases[i].read);
    }
}

static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the file is empty"},
        {"\n\r\n", "the file is empty"},
        {"a,b\n1,2\n3\n", ":3: has 1 fields, the first record names 2 columns"},
        {"a,b\n1,2,3\n", ":2: has 3 fields"},
        {"a,b\n1,\"2\n3,4\n", ":2: a quoted field is not closed"},
        {"a,b\n\"x\ny\",\"2\n3,4\n", ":3: a quoted field is not closed"},
        {"a,b\n1,2\"\n", ":2: a quote inside a field"},
        {"a,b\n\"1\"x,2\n", ":2: text after the closing quote"},
        {"a,b\r1,2\r", ":1: a carriage return without a line feed"},
        {"a,b\n1,2\r3\n", ":2: a carriage return without a line feed"},
        {"a,b\n\"1\"\r,2\n", ":2: a carriage return without a line feed"},
        {"a,a\n1,2\n", ":1: two columns are named \"a\""},
        {"a,b\n1,\xff\n", ":2: byte 3 of the line is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char read[256] = "";
        assert_int_equal(read_all(cases[i].text, strlen(cases[i].text), read, sizeof read), TT_ERR_INPUT);
        if (!strstr(tt_error_message(), cases[i].message) || !strstr(tt_error_message(), FILE_NAME))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, tt_error_message());
    }
}

static void columns(void **state) {
    (void)state;
    static const char text[] = "id,question,answer\n1,2,3\n";
    tt_csv csv;
    size_t place = 9;
    write_csv(text, strlen(text));
    OK(tt_csv_open(&csv, FILE_NAME));
    OK(tt_csv_column(&csv, "question", &place));
    assert_int_equal(place, 1);
    assert_int_equal(tt_csv_column(&csv, "qestion", &place), TT_ERR_INPUT);
    assert_string_equal(tt_error_message(),
        FILE_NAME ": no column \"qestion\"; did you mean \"question\"?; it has: id, question, answer");
    tt_csv_close(&csv);
}

// Every prefix of a file, and every byte of it replaced by each that has a meaning: read or refused.
static void damaged_files(void **state) {
    (void)state;
    static const char text[] = "a,b\r\n\"x \"\"y\"\"\r\n,\",z\n\n\"\",\xc3\xa4\r\n";
    static const char bytes[] = {'"', ',', '\r', '\n', '\0', '\xff'};
    char changed[sizeof text], read[1024];
    for (size_t n = 0; n < strlen(text); ++n) {
        tt_status status = read_all(text, n, read, sizeof read);
        assert_true(status == TT_OK || status == TT_ERR_INPUT);
        for (size_t b = 0; b < sizeof bytes; ++b) {
            memcpy(changed, text, sizeof text);
            changed[n] = bytes[b];
            status = read_all(changed, strlen(text), read, sizeof read);
            assert_true(status == TT_OK || status == TT_ERR_INPUT);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(columns),
        cmocka_unit_test(damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
