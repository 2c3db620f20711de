// Copies rows to the places that a list of row numbers gives.
#include "kernels/cpu/cpu.h"

#include <string.h>

tt_status tt_cpu_put_rows(tt_device *device, const tt_put_rows *p) {
    (void)device;
    if (p->rows < 0 || p->n < 1 || p->ld_to < p->n || p->ld_from < p->n)
        return tt_fail(TT_ERR_INPUT,
            "put_rows: %d rows of %d with row distances %d and %d; expected n >= 1 and distances of at least "
            "n",
            p->rows, p->n, p->ld_to, p->ld_from);
    for (int i = 0; i < p->rows; ++i)
        memcpy(tt_out(p->to) + (ptrdiff_t)p->row[i] * p->ld_to, tt_in(p->from) + (ptrdiff_t)i * p->ld_from,
            (size_t)p->n * sizeof(float));
    return TT_OK;
}
