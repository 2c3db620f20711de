#include "host/text/protobuf.h"

static bool read_varint(tt_protobuf *b, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 64 && b->p < b->end; shift += 7) {
        const unsigned char c = *b->p++;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return true;
    }
    return false;
}

bool tt_protobuf_read(tt_protobuf *b, tt_protobuf_field *f) {
    *f = (tt_protobuf_field){0}; // a number has no content
    uint64_t key, length = 0;
    if (!read_varint(b, &key) || key >> 3 == 0 || key >> 3 > 1 << 29) return false;
    f->number = (int)(key >> 3);
    f->wire = (int)(key & 7);
    if (f->wire == 0) return read_varint(b, &f->integer);
    if (f->wire == 1 || f->wire == 5)
        length = f->wire == 1 ? 8 : 4;
    else if (f->wire != 2 || !read_varint(b, &length))
        return false;
    if (length > (uint64_t)(b->end - b->p)) return false;
    f->content = (tt_protobuf){b->p, b->p + length};
    b->p += length;
    return true;
}
