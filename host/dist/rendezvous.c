#include "host/dist/rendezvous.h"

#include "host/base/log.h"
#include "host/base/number.h"
#include "host/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double first_patience = 300, nccl_patience = 600, usual_patience = 1800, most_patience = 1e7;
enum { MOST_RANKS = 65536, FILE_LIMIT = 1 << 16 };

// ---- the environment

static const char *first_set(const char *const *names, const char **name) {
    for (; *names; ++names) {
        const char *text = getenv(*names);
        if (text && *text) {
            *name = *names;
            return text;
        }
    }
    return NULL;
}

static tt_status read_number(int *out, const char *const *names, int least, int most, const char *what) {
    const char *name = names[0], *text = first_set(names, &name);
    if (!text)
        return tt_fail(
            TT_ERR_CONFIG, "%s is not set: %s, which ranks need to meet without MPI", names[0], what);
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno || *end || value < least || value > most)
        return tt_fail(TT_ERR_CONFIG, "%s is '%s'; expected %s, a whole number from %d to %d", name, text,
            what, least, most);
    *out = (int)value;
    return TT_OK;
}

static tt_status read_seconds(double *out, const char *name, double otherwise) {
    const char *text = getenv(name);
    *out = otherwise;
    if (!text || !*text) return TT_OK;
    char *end;
    *out = tt_parse_double(text, &end);
    if (*end || !(*out > 0 && *out <= most_patience))
        return tt_fail(TT_ERR_CONFIG, "%s is '%s'; expected a number of seconds above 0", name, text);
    return TT_OK;
}

tt_status tt_patience(double *seconds) {
    return read_seconds(seconds, "TT_TIMEOUT", usual_patience);
}

tt_status tt_nccl_patience(double *seconds) {
    return read_seconds(seconds, "TT_NCCL_TIMEOUT", nccl_patience);
}

static tt_status read_path(char path[TT_PATH_MAX]) {
    const char *text = getenv("TT_RENDEZVOUS"), *job = getenv("SLURM_JOB_ID"),
               *step = getenv("SLURM_STEP_ID"), *folder = getenv("SLURM_SUBMIT_DIR");
    int n;
    if (text && *text)
        n = snprintf(path, TT_PATH_MAX, "%s", text);
    else if (job && step)
        n = snprintf(path, TT_PATH_MAX, "%s/.tinythinker-%s-%s", folder && *folder ? folder : ".", job, step);
    else
        return tt_fail(TT_ERR_CONFIG, "TT_RENDEZVOUS is not set; it names a file on a file system that all "
                                      "ranks share, by which they meet");
    return n < TT_PATH_MAX - 16 ? TT_OK : tt_fail(TT_ERR_CONFIG, "TT_RENDEZVOUS is too long");
}

tt_status tt_rendezvous_read(tt_rendezvous *out) {
    static const char *const ranks[] = {"TT_RANK", "SLURM_PROCID", NULL};
    static const char *const worlds[] = {"TT_WORLD", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", NULL};
    static const char *const other_ranks[] = {"TT_RANK", "RANK", NULL};
    static const char *const other_worlds[] = {"TT_WORLD", "WORLD_SIZE", NULL};
    // torchrun may run in a job of Slurm, whose numbers are then those of the machines.
    const bool other = getenv("RANK") && getenv("WORLD_SIZE");
    TT_TRY(read_number(&out->size, other ? other_worlds : worlds, 1, MOST_RANKS, "the number of ranks"));
    TT_TRY(read_number(&out->rank, other ? other_ranks : ranks, 0, out->size - 1, "this process's rank"));
    TT_TRY(read_seconds(&out->seconds, "TT_TIMEOUT", first_patience));
    return read_path(out->path);
}

// ---- the file

static const char first_line[] = "tinythinker rendezvous 2";

// A file of an earlier start is replaced, any other is kept.
static tt_status clear_place(const char *path) {
    static const char start[] = "tinythinker rendezvous ";
    char *text;
    size_t size;
    struct stat st;
    if (lstat(path, &st) != 0) return TT_OK;
    if (S_ISREG(st.st_mode) && st.st_size < FILE_LIMIT &&
        tt_read_file(path, FILE_LIMIT, &text, &size) == TT_OK) {
        const bool ours = strncmp(text, start, sizeof start - 1) == 0;
        free(text);
        if (ours && unlink(path) == 0) return TT_OK;
    }
    return tt_fail(TT_ERR_CONFIG,
        "TT_RENDEZVOUS: %s exists and is not a file by which ranks meet; name one that does not exist", path);
}

static tt_status write_place(const char *path, const tt_address *address, const tt_secret *secret) {
    char digits[TT_SECRET_DIGITS + 1];
    tt_secret_text(secret, digits);
    tt_str text = {0};
    tt_str_format(&text, "%s\n%s %s %d\n", first_line, digits, address->host, address->port);
    for (int i = 0; i < address->n; ++i) tt_str_format(&text, "%s\n", address->numbers[i]);
    tt_str_append(&text, "end\n");
    tt_status status = tt_str_status(&text);
    if (status == TT_OK) status = clear_place(path);
    const mode_t before = umask(077); // the secret is the owner's
    if (status == TT_OK) {
        status = tt_write_file(path, text.data, text.length);
        if (status != TT_OK) status = tt_context(status, "TT_RENDEZVOUS");
    }
    umask(before);
    tt_str_close(&text);
    return status;
}

static bool parse_place(char *text, tt_address *address, tt_secret *secret) {
    char digits[TT_SECRET_DIGITS + 1];
    memset(address, 0, sizeof *address);
    char *rest = NULL;
    const char *line = strtok_r(text, "\n", &rest);
    if (!line || strcmp(line, first_line) != 0) return false;
    line = strtok_r(NULL, "\n", &rest);
    if (!line || sscanf(line, "%32s %63s %d", digits, address->host, &address->port) != 3 ||
        !tt_secret_parse(digits, secret))
        return false;
    for (;;) {
        line = strtok_r(NULL, "\n", &rest);
        if (!line || strcmp(line, "end") == 0) return line != NULL;
        if (address->n < TT_WIRE_ADDRESSES)
            snprintf(address->numbers[address->n++], TT_WIRE_NUMBER, "%s", line);
    }
}

static bool read_place(const char *path, tt_address *address, tt_secret *secret) {
    char *text = NULL;
    size_t size;
    if (!tt_file_exists(path) || tt_read_file(path, FILE_LIMIT, &text, &size) != TT_OK) return false;
    const bool good = parse_place(text, address, secret);
    free(text);
    return good;
}

// ---- meeting

static tt_status host_meeting(const tt_rendezvous *r, tt_star *out) {
    int listener;
    tt_address address;
    const double deadline = tt_seconds() + r->seconds;
    tt_secret secret;
    TT_TRY(tt_secret_draw(&secret));
    TT_TRY(tt_wire_listen(&listener, &address));
    tt_status status = write_place(r->path, &address, &secret);
    if (status == TT_OK) {
        status = tt_star_host(out, listener, &secret, r->size, deadline);
        unlink(r->path);
    }
    close(listener);
    return status;
}

static tt_status join_meeting(const tt_rendezvous *r, tt_star *out) {
    static const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    const double deadline = tt_seconds() + r->seconds;
    bool seen = false;
    tt_address address = {0};
    while (tt_seconds() < deadline) {
        tt_secret secret;
        bool joined = false;
        if (read_place(r->path, &address, &secret)) {
            seen = true;
            TT_TRY(tt_star_join(out, &address,
                &(tt_star_seat){.secret = secret, .rank = r->rank, .size = r->size, .patience = r->seconds},
                &joined));
        }
        if (joined) return TT_OK;
        if (tt_interrupted()) return tt_fail(TT_ERR_INTERRUPTED, "interrupted while looking for rank 0");
        nanosleep(&pause, NULL);
    }
    if (seen)
        return tt_fail(TT_ERR_DIST,
            "rank 0 did not answer on %s, port %d (from %s), within %g seconds: is the network between the "
            "machines open? TT_TIMEOUT=seconds waits longer",
            address.host, address.port, r->path, r->seconds);
    return tt_fail(TT_ERR_DIST,
        "rank 0 did not arrive: no rendezvous in %s within %g seconds; all ranks need the same file, on a "
        "file "
        "system they share. TT_TIMEOUT=seconds waits longer",
        r->path, r->seconds);
}

tt_status tt_rendezvous_meet(const tt_rendezvous *r, tt_star *out) {
    tt_interrupt_defer(true); // the others are told, and the file is removed
    tt_status status = r->rank == 0 ? host_meeting(r, out) : join_meeting(r, out);
    tt_interrupt_defer(false);
    TT_TRY(status);
    status = tt_patience(&out->seconds);
    if (tt_interrupted()) status = tt_fail(TT_ERR_INTERRUPTED, "interrupted while the ranks met");
    if (status != TT_OK) tt_star_close(out);
    return status;
}
