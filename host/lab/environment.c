#include "host/lab/environment.h"

#include "host/base/fs.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/version.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

// The processor's name from /proc/cpuinfo, or `fallback`.
static void processor_name(char *out, size_t size, const char *fallback) {
    snprintf(out, size, "%s", fallback);
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!colon) continue;
        snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    fclose(file);
}

static json_t *machine_json(void) {
    struct utsname name = {0};
    uname(&name);
    char cpu[256];
    processor_name(cpu, sizeof cpu, name.machine);
    double gigabytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / 1e9;
    return json_pack("{s:s, s:s++, s:s, s:I, s:f}", "host", name.nodename, "system", name.sysname, " ",
        name.release, "processor", cpu, "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_gb",
        gigabytes);
}

static tt_status check_corpus(const char *path, const char *hash) {
    json_t *before;
    if (!tt_file_exists(path)) return TT_OK;
    tt_status read = tt_json_read(&before, path, 1 << 20);
    if (read != TT_OK && read != TT_ERR_INPUT) return read;
    if (read != TT_OK) tt_warn("%s; whether the corpus has changed is not checked", tt_error_message());
    const char *known = json_string_value(json_object_get(before, "corpus"));
    tt_status status = TT_OK;
    if (known && strcmp(known, hash) != 0)
        status = tt_fail(TT_ERR_CONFIG,
            "the corpus has changed since this run began (its hash was %s and is %s now); "
            "start over with --fresh, or give the run another name",
            known, hash);
    json_decref(before);
    return status;
}

tt_status tt_environment_write(
    const char *path, const tt_device *device, const tt_comm *comm, const tt_corpus *corpus) {
    char hash[32] = "none", when[64];
    if (corpus) snprintf(hash, sizeof hash, "%016" PRIx64, corpus->hash);
    TT_TRY(check_corpus(path, hash));
    const time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *root = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "version",
        tt_version(), "commit", tt_commit(), "machine", machine_json(), "device", device->name, "isa",
        tt_cpu_isa(), "precision", tt_precision_name(device->precision), "ranks", comm->size, "threads",
        device->threads, "transport", comm->transport, "corpus", hash, "started", when);
    if (root && corpus) {
        const tt_teacher_counts t = tt_corpus_count_teacher(corpus);
        json_object_set_new(root, "teacher",
            json_pack("{s:I, s:I, s:I}", "questions", (json_int_t)t.questions, "differing",
                (json_int_t)t.differing, "left_out", (json_int_t)t.left_out));
    }
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(root);
    if (!text) return tt_fail(TT_ERR_NOMEM, "%s: no memory to write it", path);
    tt_status status = tt_write_file(path, text, strlen(text));
    free(text);
    return status;
}
