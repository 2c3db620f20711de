#include "host/train/metrics.h"

#include "host/base/memory.h"
#include "host/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tt_status write_failed(const tt_metrics *metrics) {
    return tt_fail(TT_ERR_IO, "%s: cannot write: %s", metrics->path, strerror(errno));
}

tt_status tt_metrics_open(tt_metrics *out, const char *path, int64_t bytes) {
    *out = (tt_metrics){0};
    TT_TRY(tt_strdup(&out->path, path));
    out->file = fopen(path, "ae");
    struct stat st;
    tt_status status = TT_OK;
    if (!out->file || fstat(fileno(out->file), &st) != 0)
        status = write_failed(out);
    else if (st.st_size > bytes && ftruncate(fileno(out->file), bytes) != 0)
        status = write_failed(out);
    if (status != TT_OK) tt_metrics_close(out);
    return status;
}

void tt_metrics_close(tt_metrics *metrics) {
    if (metrics->file) fclose(metrics->file);
    tt_tensorboard_close(&metrics->board);
    free(metrics->path);
    *metrics = (tt_metrics){0};
}

tt_status tt_metrics_line(tt_metrics *metrics, const char *format, ...) {
    if (!metrics->file) return TT_OK;
    tt_str line = {0};
    va_list args;
    va_start(args, format);
    tt_str_format_list(&line, format, args);
    va_end(args);
    tt_status status = tt_str_status(&line);
    // Flushed line by line: a program that follows the file sees whole lines.
    if (status == TT_OK && (fputs(tt_str_text(&line), metrics->file) == EOF ||
                               fputc('\n', metrics->file) == EOF || fflush(metrics->file) != 0))
        status = write_failed(metrics);
    if (status == TT_OK) status = tt_tensorboard_line(&metrics->board, tt_str_text(&line));
    tt_str_close(&line);
    return status;
}

tt_status tt_metrics_sync(tt_metrics *metrics, int64_t *bytes) {
    *bytes = 0;
    if (!metrics->file) return TT_OK;
    struct stat st;
    if (fflush(metrics->file) != 0 || fsync(fileno(metrics->file)) != 0 ||
        fstat(fileno(metrics->file), &st) != 0)
        return write_failed(metrics);
    *bytes = st.st_size;
    return TT_OK;
}
