#include "host/report/plot/svg.h"

#include <stdlib.h>

tt_status tt_plot_add(tt_plot_list *list, int points, bool intervals, tt_plot_series **out) {
    TT_TRY(tt_grow(&list->items, &list->capacity, list->n + 1, sizeof *list->items, "series of a plot"));
    tt_plot_series *s = &list->items[list->n];
    *s = (tt_plot_series){0};
    double **const fields[] = {&s->x, &s->y, &s->low, &s->high};
    for (int i = 0; i < (intervals ? 4 : 2); ++i) {
        *fields[i] = tt_arena_alloc(&list->arena, (size_t)(points > 0 ? points : 1) * sizeof(double));
        if (!*fields[i]) return TT_ERR_NOMEM;
    }
    list->n++;
    *out = s;
    return TT_OK;
}

void tt_plot_list_close(tt_plot_list *list) {
    free(list->items);
    tt_arena_close(&list->arena);
    *list = (tt_plot_list){0};
}
