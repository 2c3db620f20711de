// Which runs of a report belong to one sweep: those of one name in one folder. And which of them are about to be replaced.
#include "host/base/log.h"
#include "host/base/memory.h"
#include "host/lab/sweep/fresh.h"
#include "host/report/runs/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The folder that contains the run, behind all links; NULL: it is gone, or there is no memory.
static char *folder_of(const tt_report_run *run) {
    char *real = realpath(run->path, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (slash) slash[slash == real] = '\0';
    return real;
}

static bool same_folder(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

// Numbers the sweeps: a run gets the number of an earlier one of its sweep, or the next.
static void number_sweeps(tt_report *r, char *const *folders) {
    int n = 0;
    for (int i = 0; i < r->n_runs; ++i) {
        tt_report_run *run = &r->runs[i];
        run->sweep_number = -1;
        if (!*run->variant) continue;
        for (int k = 0; k < i && run->sweep_number < 0; ++k)
            if (r->runs[k].sweep_number >= 0 && strcmp(r->runs[k].sweep, run->sweep) == 0 &&
                same_folder(folders[k], folders[i]))
                run->sweep_number = r->runs[k].sweep_number;
        if (run->sweep_number < 0) run->sweep_number = n++;
    }
}

// The last n names of a path, or all of it.
static const char *last_names(const char *path, int n) {
    const char *p = path + strlen(path);
    while (p > path && (p[-1] != '/' || --n > 0)) --p;
    return p;
}

// What a sweep is called whose name another one has, too: the last names of its folder, so many that no other one has the
// same.
static const char *own_names(const tt_report *r, char *const *folders, const int *namesake, int run) {
    const char *names = folders[run];
    int n = 2;
    for (int k = 0; k < r->n_runs; ++k) {
        if (!namesake[k] || !folders[k] || same_folder(folders[k], folders[run])) continue;
        while (strcmp(last_names(folders[k], n), last_names(names, n)) == 0) ++n;
    }
    return last_names(names, n);
}

static bool inside_character(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

// Of a long name the middle is left out.
static void rename_sweep(tt_report_run *run, const char *name) {
    enum { NUMBER = 8, ROOM = sizeof run->sweep - NUMBER }; // space for " (12)" behind it
    const size_t n = strlen(name);
    size_t head = n < ROOM ? n : ROOM / 2 - 4, tail = n < ROOM ? n : n - ROOM / 2;
    while (head > 0 && head < n && inside_character(name[head])) --head;
    while (inside_character(name[tail])) ++tail;
    snprintf(run->sweep, sizeof run->sweep, "%.*s%s%s", (int)head, name, head < n ? "..." : "", name + tail);
}

// How many sweeps before that of the run are called the same.
static int count_same(const tt_report *r, int run) {
    int n = 0, last = -1; // sweeps are numbered in the order of their first runs
    for (int k = 0; k < run; ++k) {
        const tt_report_run *other = &r->runs[k];
        if (other->sweep_number <= last || other->sweep_number >= r->runs[run].sweep_number) continue;
        last = other->sweep_number;
        n += strcmp(other->sweep, r->runs[run].sweep) == 0;
    }
    return n;
}

// namesake[n_runs], zeroed, becomes: 0 where no other sweep has the name of the run's; else which one it is of those that are
// called the same.
static void rename_sweeps(tt_report *r, char *const *folders, int *namesake) {
    for (int i = 0; i < r->n_runs; ++i)
        for (int k = 0; k < r->n_runs; ++k)
            namesake[i] |= r->runs[i].sweep_number >= 0 && r->runs[k].sweep_number >= 0 &&
                           r->runs[i].sweep_number != r->runs[k].sweep_number &&
                           strcmp(r->runs[i].sweep, r->runs[k].sweep) == 0;
    for (int i = 0; i < r->n_runs; ++i)
        if (namesake[i] && folders[i]) rename_sweep(&r->runs[i], own_names(r, folders, namesake, i));
    for (int i = 0; i < r->n_runs; ++i)
        if (namesake[i]) namesake[i] += count_same(r, i);
    for (int i = 0; i < r->n_runs; ++i) {
        const size_t n = strlen(r->runs[i].sweep);
        if (namesake[i] > 1)
            snprintf(r->runs[i].sweep + n, sizeof r->runs[i].sweep - n, " (%d)", namesake[i]);
    }
}

// Whether any of the first n runs belongs to the sweep and is unsure.
static bool any_unsure(const tt_report *r, int n, int sweep_number) {
    for (int i = 0; i < n; ++i)
        if (r->runs[i].unsure && r->runs[i].sweep_number == sweep_number) return true;
    return false;
}

// Marks the runs that a start-over is still to replace. Where that cannot be found out, warns, once for each sweep.
static void find_old(tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i) {
        tt_report_run *run = &r->runs[i];
        if (run->sweep_number < 0 || tt_sweep_run_is_old(run->path, &run->old) == TT_OK) continue;
        if (!any_unsure(r, i, run->sweep_number))
            tt_warn("%s: cannot say which results are from before a start-over (--fresh): %s", run->sweep,
                tt_error_message());
        run->unsure = true;
    }
}

// Warns of each sweep that has runs which a start-over is still to replace.
static void tell_old(const tt_report *r) {
    for (int i = 0; i < r->n_runs; ++i) {
        const tt_report_run *run = &r->runs[i];
        int old = 0, all = 0;
        bool told = !run->old;
        for (int k = 0; k < r->n_runs && !told; ++k) {
            if (r->runs[k].sweep_number != run->sweep_number) continue;
            told = k < i && r->runs[k].old;
            old += r->runs[k].old;
            ++all;
        }
        if (!told)
            tt_warn("%s: a start-over (--fresh) of this sweep is not finished: %d of its %d runs have "
                    "results from before, marked with %s; run the sweep to its end first",
                run->sweep, old, all, TT_REPORT_OLD);
    }
}

tt_status tt_report_find_sweeps(tt_report *r) {
    char **folders;
    int *namesake;
    TT_TRY(tt_alloc(&folders, (size_t)r->n_runs, sizeof *folders, "folders of runs"));
    tt_status status = tt_alloc(&namesake, (size_t)r->n_runs, sizeof *namesake, "folders of runs");
    for (int i = 0; i < r->n_runs && status == TT_OK; ++i)
        if (*r->runs[i].variant) folders[i] = folder_of(&r->runs[i]);
    if (status == TT_OK) {
        number_sweeps(r, folders);
        rename_sweeps(r, folders, namesake);
        find_old(r);
        tell_old(r);
        free(namesake);
    }
    for (int i = 0; i < r->n_runs; ++i) free(folders[i]);
    free(folders);
    return status;
}
