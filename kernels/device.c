#include "kernels/device.h"

#include "host/base/memory.h"

#include <stdint.h>
#include <stdlib.h>

static void release_outgrown(tt_device *device) {
    while (device->n_outgrown > 0) tt_device_free(device, device->outgrown[--device->n_outgrown]);
}

void tt_device_close(tt_device *device) {
    if (!device) return;
    release_outgrown(device);
    free(device->outgrown);
    tt_device_free(device, device->scratch);
    device->memory->close(device);
    tt_tally_close(&device->tally);
    free(device);
}

tt_status tt_device_alloc(tt_device *device, void *out, size_t count, size_t size, const char *what) {
    if (size && count > SIZE_MAX / size)
        return tt_fail(TT_ERR_NOMEM, "out of memory: %zu x %zu bytes for %s", count, size, what);
    void *memory;
    *(void **)out = NULL;
    TT_TRY(device->memory->alloc(device, &memory, count * size, what));
    const tt_status status = tt_tally_add(&device->tally, memory, count * size, what);
    if (status == TT_OK)
        *(void **)out = memory;
    else
        device->memory->free(device, memory);
    return status;
}

void tt_device_free(tt_device *device, void *memory) {
    if (!memory) return;
    tt_tally_remove(&device->tally, memory);
    device->memory->free(device, memory);
}

tt_status tt_device_upload(tt_device *device, void *to, const void *from_host, size_t bytes) {
    return bytes ? device->memory->upload(device, to, from_host, bytes) : TT_OK;
}

tt_status tt_device_download(tt_device *device, void *to_host, const void *from, size_t bytes) {
    return bytes ? device->memory->download(device, to_host, from, bytes) : TT_OK;
}

bool tt_device_is_host(const tt_device *device) {
    return device->memory->host;
}

tt_status tt_device_fetch(tt_device *device, void *to_host, const void *from, size_t bytes) {
    return bytes ? device->memory->fetch(device, to_host, from, bytes) : TT_OK;
}

tt_status tt_device_copy(tt_device *device, void *to, const void *from, size_t bytes) {
    return bytes ? device->memory->copy(device, to, from, bytes) : TT_OK;
}

tt_status tt_device_zero(tt_device *device, void *memory, size_t bytes) {
    return bytes ? device->memory->zero(device, memory, bytes) : TT_OK;
}

tt_status tt_device_discard(tt_device *device, void *memory, size_t bytes) {
    return bytes ? device->memory->discard(device, memory, bytes) : TT_OK;
}

tt_status tt_device_wait(tt_device *device) {
    return device->memory->wait(device);
}

bool tt_device_records(const tt_device *device) {
    return device->memory->record && !device->plain;
}

tt_status tt_device_record(tt_device *device) {
    if (device->recording || !tt_device_records(device))
        return tt_fail(TT_ERR_INTERNAL,
            "device %s: cannot record: a recording is in progress, or recordings are not supported",
            device->name);
    TT_TRY(device->memory->record(device));
    device->recording = true;
    return TT_OK;
}

tt_status tt_device_recorded(tt_device *device, tt_recording **out) {
    *out = NULL;
    device->recording = false;
    TT_TRY(device->memory->recorded(device, out));
    ++device->recordings;
    return TT_OK;
}

tt_status tt_device_replay(tt_device *device, tt_recording *recording) {
    return device->memory->replay(device, recording);
}

void tt_recording_close(tt_device *device, tt_recording *recording) {
    if (!recording) return;
    device->memory->forget(device, recording);
    if (--device->recordings == 0) release_outgrown(device);
}

static tt_status grow_scratch(tt_device *device, size_t bytes) {
    if (device->recording)
        return tt_fail(TT_ERR_INTERNAL,
            "a recording needs %zu bytes of scratch memory, but only %zu were reserved when its operations "
            "ran "
            "before",
            bytes, device->scratch_bytes);
    TT_TRY(tt_grow(&device->outgrown, &device->outgrown_capacity, device->n_outgrown + 1,
        sizeof *device->outgrown, "scratch memory"));
    // What no recording needs goes first, so that there is room.
    if (device->scratch) device->outgrown[device->n_outgrown++] = device->scratch;
    device->scratch = NULL;
    device->scratch_bytes = 0;
    if (device->recordings == 0) release_outgrown(device);
    TT_TRY(tt_device_alloc(device, &device->scratch, bytes, 1, "scratch memory of an operation"));
    device->scratch_bytes = bytes;
    return TT_OK;
}

void *tt_device_scratch(tt_device *device, size_t bytes) {
    if (bytes > device->scratch_bytes && grow_scratch(device, bytes + bytes / 4) != TT_OK) return NULL;
    return tt_device_discard(device, device->scratch, device->scratch_bytes) == TT_OK ? device->scratch
                                                                                      : NULL;
}
