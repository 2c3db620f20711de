#include "host/dist/pieces.h"

#include "host/base/memory.h"
#include "host/dist/counter.h"

#include <stdlib.h>
#include <string.h>

tt_status tt_pieces_open(tt_pieces *out, tt_comm *comm, int64_t n) {
    *out = (tt_pieces){.comm = comm, .work = ++comm->works, .n = n, .next = comm->rank};
    return comm->size > 1 && comm->works == 1 ? tt_counter_open(&comm->counter, comm) : TT_OK;
}

tt_status tt_pieces_take(tt_pieces *p, int64_t *piece) {
    int64_t next = p->next;
    if (p->comm->counter)
        TT_TRY(tt_counter_add(p->comm->counter, p->work, 1, &next));
    else
        p->next += p->comm->size;
    *piece = next < p->n ? next : -1;
    p->taken += *piece >= 0;
    return TT_OK;
}

void tt_pieces_stop(tt_pieces *p) {
    int64_t next;
    p->next = p->n;
    if (p->comm->counter) (void)!tt_counter_add(p->comm->counter, p->work, INT64_MAX, &next);
}

// Rank 0: the ranks' blocks, which lie one after another, in the order of pieces.
static tt_status sort_blocks(
    const tt_pieces *p, const char *blocks, const size_t *of_ranks, const int64_t *table, char **all) {
    const int64_t *sizes = table, *owners = table + p->n; // rank + 1
    size_t *at, done = 0, total = 0;
    TT_TRY(tt_alloc(&at, (size_t)p->comm->size, sizeof *at, "pieces"));
    for (int r = 0; r < p->comm->size; ++r) {
        at[r] = total;
        total += of_ranks[r];
    }
    tt_status status = tt_alloc(all, total + 1, 1, "pieces");
    for (int64_t i = 0; i < p->n && status == TT_OK; ++i) {
        if (owners[i] == 0) continue;
        size_t *from = &at[owners[i] - 1];
        const size_t size = (size_t)sizes[i];
        if (owners[i] > p->comm->size || size > total - *from || size > total - done) {
            status = tt_fail(TT_ERR_DIST,
                "rank %lld sent fewer bytes for its pieces than it announced; do all ranks run the same "
                "version?",
                (long long)owners[i] - 1);
            break;
        }
        memcpy(*all + done, blocks + *from, size);
        *from += size;
        done += size;
    }
    free(at);
    return status;
}

static tt_status collect_blocks(
    const tt_pieces *p, const tt_str *mine, const int64_t *table, char **all, size_t *bytes) {
    size_t *of_ranks;
    char *blocks = NULL;
    TT_TRY(tt_alloc(&of_ranks, (size_t)p->comm->size, sizeof *of_ranks, "pieces"));
    tt_status status = tt_comm_gather(p->comm, tt_str_text(mine), mine->length, &blocks, of_ranks);
    if (status == TT_OK && p->comm->rank == 0) {
        for (int r = 0; r < p->comm->size; ++r) *bytes += of_ranks[r];
        status = sort_blocks(p, blocks, of_ranks, table, all);
    }
    free(blocks);
    free(of_ranks);
    return status;
}

tt_status tt_pieces_gather(
    const tt_pieces *p, const tt_str *mine, int64_t *sizes, char **all, size_t *bytes) {
    const size_t n = (size_t)p->n;
    int64_t *table; // [2 n]: sizes, and ranks + 1
    *all = NULL;
    *bytes = 0;
    tt_status status = tt_comm_agree(p->comm, tt_alloc(&table, 2 * n + 1, sizeof *table, "pieces"));
    if (status != TT_OK) return status;
    for (size_t i = 0; i < n; ++i)
        if (sizes[i] > 0) {
            table[i] = sizes[i];
            table[n + i] = p->comm->rank + 1;
        }
    status = tt_comm_max_i64(p->comm, table, 2 * n);
    if (status == TT_OK) status = collect_blocks(p, mine, table, all, bytes);
    free(table);
    if (status != TT_OK) {
        free(*all);
        *all = NULL;
    }
    return status;
}
