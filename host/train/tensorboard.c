#include "host/train/tensorboard.h"

#include "host/base/fs.h"
#include "host/base/memory.h"
#include "host/base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint32_t tt_crc32c(const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; ++i) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static uint32_t masked_crc(const void *bytes, size_t n) {
    const uint32_t crc = tt_crc32c(bytes, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

// ---- protocol buffers, as far as needed

static void put_varint(tt_str *out, uint64_t value) {
    do {
        const char byte = (char)((value & 127) | (value > 127 ? 128 : 0));
        tt_str_append_n(out, &byte, 1);
        value >>= 7;
    } while (value);
}

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_tag(tt_str *out, int field, int type) {
    put_varint(out, (uint64_t)(field << 3 | type));
}

static void put_bytes(tt_str *out, int field, const char *bytes, size_t n) {
    put_tag(out, field, BYTES);
    put_varint(out, n);
    tt_str_append_n(out, bytes, n);
}

static void put_wall_time(tt_str *event) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    put_tag(event, 1, FIXED64);
    tt_str_append_n(event, (const char *)&seconds,
        sizeof seconds); // the file is little-endian, like all machines this builds for
}

static void put_scalar(tt_str *summary, const char *tag, double number) {
    tt_str value = {0};
    const float x = (float)number;
    put_bytes(&value, 1, tag, strlen(tag));
    put_tag(&value, 2, FIXED32);
    tt_str_append_n(&value, (const char *)&x, sizeof x);
    put_bytes(summary, 1, tt_str_text(&value), value.length);
    summary->failed |= value.failed;
    tt_str_close(&value);
}

// ---- records

static tt_status put_record(tt_tensorboard *b, const tt_str *event) {
    TT_TRY(tt_str_status(event));
    const uint64_t length = event->length;
    const uint32_t of_length = masked_crc(&length, sizeof length),
                   of_data = masked_crc(event->data, event->length);
    if (fwrite(&length, sizeof length, 1, b->file) == 1 && fwrite(&of_length, 4, 1, b->file) == 1 &&
        fwrite(event->data, 1, event->length, b->file) == event->length &&
        fwrite(&of_data, 4, 1, b->file) == 1 && fflush(b->file) == 0)
        return TT_OK;
    return tt_fail(TT_ERR_IO, "%s: cannot write: %s; is the disk full?", b->path, strerror(errno));
}

tt_status tt_tensorboard_open(tt_tensorboard *out, const char *directory) {
    *out = (tt_tensorboard){0};
    char name[128], path[TT_PATH_MAX];
    tt_str event = {0};
    TT_TRY(tt_make_dirs(directory));
    snprintf(name, sizeof name, "events.out.tfevents.%lld.%ld", (long long)time(NULL), (long)getpid());
    TT_TRY(tt_path_join(path, sizeof path, directory, name));
    TT_TRY(tt_strdup(&out->path, path));
    out->file = fopen(path, "ae");
    tt_status status = out->file ? TT_OK : tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    put_wall_time(&event);
    put_bytes(&event, 3, "brain.Event:2", 13);
    if (status == TT_OK) status = put_record(out, &event);
    tt_str_close(&event);
    if (status != TT_OK) tt_tensorboard_close(out);
    return status;
}

void tt_tensorboard_close(tt_tensorboard *b) {
    if (b->file) fclose(b->file);
    free(b->path);
    *b = (tt_tensorboard){0};
}

// Every number of `object`, and of the objects inside it, as a scalar whose tag begins with `prefix`.
static void put_numbers(tt_str *summary, const char *prefix, const json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        tt_str tag = {0};
        tt_str_format(&tag, "%s/%s", prefix, key);
        if (json_is_object(value))
            put_numbers(summary, tt_str_text(&tag), value);
        else if (json_is_number(value) && strcmp(key, "step") != 0)
            put_scalar(summary, tt_str_text(&tag), json_number_value(value));
        summary->failed |= tag.failed;
        tt_str_close(&tag);
    }
}

tt_status tt_tensorboard_line(tt_tensorboard *b, const char *json) {
    if (!b->file) return TT_OK;
    json_t *root = json_loads(json, 0, NULL);
    const char *phase = json_string_value(json_object_get(root, "phase")),
               *stage = json_string_value(json_object_get(root, "stage"));
    const json_t *step = json_object_get(root, "step");
    tt_status status = TT_OK;
    if (phase && json_is_integer(step)) {
        tt_str summary = {0}, event = {0}, prefix = {0};
        tt_str_format(&prefix, "%s%s%s", phase, stage ? "/" : "", stage ? stage : "");
        put_numbers(&summary, tt_str_text(&prefix), root);
        put_wall_time(&event);
        put_tag(&event, 2, VARINT);
        put_varint(&event, (uint64_t)json_integer_value(step));
        put_bytes(&event, 5, tt_str_text(&summary), summary.length);
        event.failed |= summary.failed | prefix.failed;
        status = put_record(b, &event);
        tt_str_close(&summary);
        tt_str_close(&event);
        tt_str_close(&prefix);
    }
    json_decref(root);
    return status;
}
