#include "host/data/hdf5_seal.h"

#include "host/base/checksum.h"
#include "host/base/memory.h"
#include "host/base/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char title[] = "tinythinker HDF5 file, sealed\n";
static const char hdf5[] = "\x89HDF\r\n\x1a\n"; // how a file without a seal begins

enum { BLOCK = 1 << 20 };

// The seal of a file of `bytes` bytes: a function of its content alone, so that damage to the seal shows as well.
static void write_text(char seal[TT_SEAL_BYTES], uint64_t bytes, uint64_t checksum) {
    memset(seal, ' ', TT_SEAL_BYTES);
    const int n = snprintf(seal, TT_SEAL_BYTES,
        "%sbytes %020" PRIu64 "\nxxh64 %016" PRIx64 "\n"
        "The length of this file, and the checksum of all that follows these 512 bytes: HDF5, as h5dump and "
        "h5py read it.\n",
        title, bytes, checksum);
    seal[n] = ' ';
    seal[TT_SEAL_BYTES - 1] = '\n';
}

// Reads up to n bytes; fewer only at the end of the file. -1 with errno on failure.
static ssize_t read_fully(int file, void *to, size_t n) {
    size_t done = 0;
    while (done < n) {
        const ssize_t got = read(file, (char *)to + done, n - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

// What stands in the first bytes, and the seal that the file should have.
typedef struct seals {
    char found[TT_SEAL_BYTES], right[TT_SEAL_BYTES];
    ssize_t n; // bytes of `found`
    uint64_t bytes;
} seals;

// Reads the rest of the file, too, if its beginning is that of a sealed one or `always`.
static tt_status read_seals(int file, const char *path, bool always, seals *s) {
    unsigned char *block;
    tt_checksum sum;
    tt_checksum_open(&sum);
    s->bytes = 0;
    s->n = read_fully(file, s->found, sizeof s->found);
    if (s->n < 0) return tt_fail(TT_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (s->n < TT_SEAL_BYTES || (!always && memcmp(s->found, title, strlen(title)) != 0)) return TT_OK;
    TT_TRY(tt_alloc(&block, BLOCK, 1, path));
    tt_status status = TT_OK;
    for (;;) {
        const ssize_t n = read_fully(file, block, BLOCK);
        if (n < 0) status = tt_fail(TT_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (n <= 0) break;
        tt_checksum_add(&sum, block, (size_t)n);
    }
    free(block);
    s->bytes = sum.bytes + TT_SEAL_BYTES;
    write_text(s->right, s->bytes, tt_checksum_value(&sum));
    return status;
}

static bool begins_with(const char *path, const char *bytes) {
    char found[sizeof title];
    const size_t wanted = strlen(bytes);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t n = read_fully(file, found, wanted);
    close(file);
    return n == (ssize_t)wanted && memcmp(found, bytes, wanted) == 0;
}

bool tt_seal_there(const char *path) {
    return begins_with(path, title);
}

bool tt_seal_lacking(const char *path) {
    return begins_with(path, hdf5);
}

tt_status tt_seal_write(const char *path) {
    seals s;
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open it to seal it: %s", path, strerror(errno));
    tt_status status = read_seals(file, path, true, &s);
    if (status == TT_OK && s.n < TT_SEAL_BYTES)
        status = tt_fail(TT_ERR_IO, "%s: has %zd bytes, too few for a seal", path, s.n);
    if (status == TT_OK && pwrite(file, s.right, sizeof s.right, 0) != (ssize_t)sizeof s.right)
        status = tt_fail(TT_ERR_IO, "%s: cannot write its checksum: %s", path, strerror(errno));
    if (close(file) != 0 && status == TT_OK)
        status = tt_fail(TT_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    return status;
}

// Says what is wrong with a file whose seal is not the right one.
static tt_status refuse(const char *path, const seals *s) {
    const size_t n = (size_t)s->n, length_at = strlen(title) + strlen("bytes ");
    if (n >= strlen(hdf5) && memcmp(s->found, hdf5, strlen(hdf5)) == 0)
        return tt_fail(TT_ERR_FORMAT,
            "%s: has no checksum, since an earlier version or another program wrote it; "
            "'tinythinker renew %s' checks it and writes it anew",
            path, path);
    TT_TRY(tt_signature_refuse(path, (const char *)s->found, n, "an HDF5 file of tinythinker"));
    if (n < TT_SEAL_BYTES && memcmp(s->found, title, n < strlen(title) ? n : strlen(title)) == 0)
        return tt_fail(TT_ERR_FORMAT, "%s: truncated: only %zu bytes are left of it", path, n);
    if (n < TT_SEAL_BYTES || memcmp(s->found, title, strlen(title)) != 0)
        return tt_fail(
            TT_ERR_FORMAT, "%s: not an HDF5 file of tinythinker, or its beginning is damaged", path);
    char digits[21] = "";
    memcpy(digits, s->found + length_at, 20);
    const unsigned long long length = strtoull(digits, NULL, 10);
    if (length > s->bytes)
        return tt_fail(TT_ERR_FORMAT, "%s: truncated: it has %llu bytes, but %llu were written", path,
            (unsigned long long)s->bytes, length);
    if (length < s->bytes)
        return tt_fail(TT_ERR_FORMAT, "%s: damaged: it has %llu bytes, but %llu were written", path,
            (unsigned long long)s->bytes, length);
    return tt_fail(TT_ERR_FORMAT,
        "%s: damaged: its content does not match its checksum; copy it again from where it came, or make it "
        "again",
        path);
}

tt_status tt_seal_check(const char *path, uint64_t *bytes) {
    seals s;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    *bytes = 0;
    if (file < 0) return tt_fail(TT_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    tt_status status = read_seals(file, path, false, &s);
    close(file);
    if (status != TT_OK) return status;
    *bytes = s.bytes;
    return s.bytes && memcmp(s.found, s.right, sizeof s.right) == 0 ? TT_OK : refuse(path, &s);
}
