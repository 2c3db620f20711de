#include "host/lab/sharing.h"

#include "host/base/log.h"
#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char corpus_entry[] = "corpus"; // of phases.json: what it was built from

// ---- what phases are known by

static void forget_settings(tt_sharing *s) {
    for (int i = 0; i < s->n; ++i) tt_str_close(&s->settings[i]);
    free(s->settings);
    s->settings = NULL;
    s->n = 0;
}

static tt_status read_settings(tt_sharing *s) {
    char name[TT_PHASE_NAME];
    int n = 0, iteration;
    while (tt_phase_at(s->config, n, name, &iteration)) ++n;
    TT_TRY(tt_alloc(&s->settings, (size_t)n, sizeof *s->settings, "phases"));
    for (s->n = 0; s->n < n; ++s->n) {
        s->settings[s->n] = (tt_str){0};
        const tt_status status = tt_phase_settings(s->config, s->n, &s->settings[s->n]);
        if (status == TT_OK) continue;
        s->n++;
        return status;
    }
    return TT_OK;
}

static bool has_world(const tt_sharing *s) {
    return tt_ends_with(s->config->corpus, ".yaml");
}

// A corpus that is there was built from the same world, or by a version that noted nothing.
static tt_status check_world(tt_sharing *s) {
    tt_str world = {0};
    if (!has_world(s) || !tt_file_exists(s->dir->corpus)) return TT_OK;
    tt_status status = tt_phase_world(s->config->corpus, &world);
    const tt_phase_standing standing =
        status == TT_OK ? tt_phase_look(s->dir->path, corpus_entry, tt_str_text(&world), NULL) : TT_PHASE_NEW;
    tt_str_close(&world);
    if (standing == TT_PHASE_NEW) forget_settings(s);
    if (status == TT_ERR_IO || status == TT_ERR_CONFIG) status = TT_OK; // it is not needed any more
    if (standing != TT_PHASE_OTHER) return status;
    return tt_fail(TT_ERR_CONFIG,
        "%s has changed since this run built its corpus from it; restore it, start over with --fresh, or "
        "give the run another name",
        s->config->corpus);
}

tt_status tt_sharing_open(tt_sharing *out, const tt_config *config, const tt_run_directory *dir,
    tt_comm *comm, const tt_sharing_source *source) {
    *out = (tt_sharing){.comm = comm, .config = config, .dir = dir, .source = *source, .lock = {.file = -1}};
    tt_status status = TT_OK;
    if (comm->rank == 0) {
        status = read_settings(out);
        if (status != TT_OK) forget_settings(out);
        if (status != TT_ERR_NOMEM) status = check_world(out);
    }
    return tt_comm_agree(comm, status);
}

void tt_sharing_close(tt_sharing *sharing) {
    tt_lock_release(&sharing->lock);
    forget_settings(sharing);
    tt_str_close(&sharing->identity);
}

tt_status tt_sharing_built(tt_sharing *s) {
    tt_str world = {0};
    if (!s->settings) return TT_OK;
    tt_status status = tt_phase_world(s->config->corpus, &world);
    if (status == TT_OK)
        status = tt_phase_note(s->dir,
            &(tt_phase_entry){.name = corpus_entry, .identity = tt_str_text(&world), .best = s->dir->corpus});
    tt_str_close(&world);
    return status;
}

// Leaves the identity empty where the phase, or the one before it, began in a way that nobody noted.
static tt_status identify(tt_sharing *s, int i, const char *phase) {
    char before[TT_PHASE_NAME], hash[TT_PHASE_HASH], last[TT_PATH_MAX];
    int iteration;
    tt_str_clear(&s->identity);
    if (!s->settings) return TT_OK;
    TT_TRY(tt_run_directory_checkpoint(s->dir, phase, false, last));
    if (tt_file_exists(last) && !tt_phase_noted(s->dir->path, phase, hash)) return TT_OK;
    if (i > 0 &&
        (!tt_phase_at(s->config, i - 1, before, &iteration) || !tt_phase_noted(s->dir->path, before, hash)))
        return TT_OK;
    tt_str_append(&s->identity, tt_str_text(&s->settings[i]));
    if (i > 0) tt_phase_after(&s->identity, hash);
    return tt_str_status(&s->identity);
}

static tt_phase_standing look_here(const tt_sharing *s, const char *phase) {
    return tt_phase_look(s->dir->path, phase, tt_str_text(&s->identity), NULL);
}

// ---- taking a phase

typedef struct search {
    const tt_sharing *sharing;
    const char *phase;
    const char *generation; // NULL: any
    tt_phase_found *out;
} search;

static bool is_wanted(void *self, const char *phase, const char *identity, const tt_phase_found *found) {
    const search *w = self;
    if (strcmp(phase, w->phase) != 0 || strcmp(identity, tt_str_text(&w->sharing->identity)) != 0)
        return false;
    if (w->generation && strcmp(w->generation, found->generation) != 0) return false;
    for (int i = 0; i < w->sharing->n_bad; ++i)
        if (strcmp(w->sharing->bad[i], found->run) == 0) return false;
    *w->out = *found;
    return true;
}

// *taken: some run had the phase whole.
static tt_status take(tt_sharing *s, const char *phase, const char *best, bool *taken) {
    tt_phase_found found;
    const tt_sharing_source *source = &s->source;
    const char *generation = tt_phase_is_behind(s->config, phase, source->from) ? source->generation : NULL;
    *taken = false;
    while (s->n_bad < TT_BAD_RUNS &&
           tt_phases_walk(source->root, is_wanted, &(search){s, phase, generation, &found})) {
        const tt_phase_entry entry = {.name = phase, .identity = tt_str_text(&s->identity), .best = best};
        const tt_status status = tt_phase_take(s->dir, &entry, &found, s->config->model.start);
        *taken = status == TT_OK;
        if (*taken) tt_info("%s: taken from %s, which has trained the same", phase, found.run);
        if (*taken || (status != TT_ERR_FORMAT && status != TT_ERR_IO)) return status;
        tt_warn("%s: not taken from %s: %s", phase, found.run, tt_error_message());
        memcpy(s->bad[s->n_bad++], found.run, sizeof found.run);
    }
    return TT_OK;
}

typedef enum step { STEP_GO_ON, STEP_WAIT } step;

static tt_status try_share(tt_sharing *s, const char *phase, const char *best, step *out) {
    char hash[TT_PHASE_HASH], locks[TT_PATH_MAX];
    bool taken;
    *out = STEP_GO_ON;
    if (!s->source.root || s->identity.length == 0) return TT_OK;
    const tt_phase_standing standing = look_here(s, phase);
    if (standing == TT_PHASE_DONE || standing == TT_PHASE_OTHER) return TT_OK;
    tt_phase_hash(tt_str_text(&s->identity), hash);
    TT_TRY(tt_path_join(locks, sizeof locks, s->source.root, ".locks"));
    const tt_status status = tt_phase_lock(locks, phase, hash, &s->lock);
    if (status == TT_ERR_BUSY) *out = STEP_WAIT;
    if (status != TT_OK) return status == TT_ERR_BUSY ? TT_OK : status;
    TT_TRY(take(s, phase, best, &taken));
    if (taken) tt_lock_release(&s->lock);
    return TT_OK;
}

static tt_status begin_here(tt_sharing *s, int i, const char *phase, const char *best) {
    TT_TRY(identify(s, i, phase));
    if (s->identity.length == 0 || look_here(s, phase) != TT_PHASE_NEW) return TT_OK;
    return tt_phase_note(
        s->dir, &(tt_phase_entry){.name = phase, .identity = tt_str_text(&s->identity), .best = best});
}

tt_status tt_sharing_begin(tt_sharing *s, int i, const char *best) {
    char phase[TT_PHASE_NAME];
    int iteration;
    (void)tt_phase_at(s->config, i, phase, &iteration);
    TT_TRY(tt_comm_agree(s->comm, s->comm->rank == 0 ? begin_here(s, i, phase, best) : TT_OK));
    for (bool told = false;;) {
        struct {
            step step;
            bool stop;
        } now = {STEP_GO_ON, false};
        tt_status status = s->comm->rank == 0 ? try_share(s, phase, best, &now.step) : TT_OK;
        now.stop = tt_interrupted();
        TT_TRY(tt_comm_agree(s->comm, status));
        TT_TRY(tt_comm_broadcast(s->comm, &now, sizeof now, 0));
        if (now.step == STEP_GO_ON) return TT_OK;
        if (now.stop)
            return tt_comm_agree(
                s->comm, tt_fail(TT_ERR_INTERRUPTED, "stopped while another run trains %s; %s", phase,
                             tt_how_to_resume()));
        if (!told && s->comm->rank == 0)
            tt_info("%s: waiting for another run, which is training the same%s", phase, s->lock.owner);
        told = true;
    }
}

static tt_status end_here(tt_sharing *s, const char *phase, const char *best, int64_t metrics_bytes) {
    if (s->identity.length == 0 || look_here(s, phase) != TT_PHASE_BEGUN) return TT_OK;
    return tt_phase_note(s->dir, &(tt_phase_entry){.name = phase,
                                     .identity = tt_str_text(&s->identity),
                                     .best = best,
                                     .metrics_bytes = metrics_bytes,
                                     .done = true});
}

tt_status tt_sharing_end(tt_sharing *s, int i, const char *best, int64_t metrics_bytes) {
    char phase[TT_PHASE_NAME];
    int iteration;
    (void)tt_phase_at(s->config, i, phase, &iteration);
    const tt_status status = s->comm->rank == 0 ? end_here(s, phase, best, metrics_bytes) : TT_OK;
    tt_lock_release(&s->lock); // when others can see it
    return tt_comm_agree(s->comm, status);
}
