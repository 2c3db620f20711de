// Rows put where a list of row numbers says.
#include "kernels/cpu/cpu.h"

#include <string.h>

tt_status tt_cpu_put_rows(tt_device *device, tt_operand *to, int ld_to, const int32_t *row,
    const tt_operand *from, int ld_from, int rows, int n) {
    (void)device;
    if (rows < 0 || n < 1 || ld_to < n || ld_from < n)
        return tt_fail(
            TT_ERR_INPUT, "put_rows: %d rows of %d with row distances %d and %d", rows, n, ld_to, ld_from);
    for (int i = 0; i < rows; ++i)
        memcpy(tt_out(to) + (ptrdiff_t)row[i] * ld_to, tt_in(from) + (ptrdiff_t)i * ld_from,
            (size_t)n * sizeof(float));
    return TT_OK;
}
