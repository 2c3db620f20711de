// The wire format of protocol buffers, as far as a .model needs it. Private to host/text.
#ifndef TT_TEXT_PROTOBUF_H
#define TT_TEXT_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What is left to read: [p, end), owned by who has the message.
typedef struct tt_protobuf {
    const unsigned char *p, *end;
} tt_protobuf;

typedef struct tt_protobuf_field {
    int number, wire; // wire: 0 = an integer, 1 and 5 = 8 and 4 bytes, 2 = bytes
    uint64_t integer;
    tt_protobuf content; // of wires 1, 2 and 5
} tt_protobuf_field;

// Reads the next field and moves on behind it; false where the message is damaged.
bool tt_protobuf_read(tt_protobuf *message, tt_protobuf_field *out);

#ifdef __cplusplus
}
#endif

#endif
