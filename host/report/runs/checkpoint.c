// Finds the size of a run's student from the shapes in its checkpoint, without reading the weights.
#include "host/base/log.h"
#include "host/data/hdf5_file.h"
#include "host/data/renew.h"
#include "host/report/runs/run.h"

#include <math.h>

// An H5Literate operator that adds the elements of a data set to *sum.
static herr_t add_elements(hid_t group, const char *name, const H5L_info_t *info, void *sum) {
    (void)info;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return -1;
    if (H5Iget_type(object) == H5I_DATASET) {
        const hid_t space = H5Dget_space(object);
        const hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
        *(double *)sum = n >= 0 ? *(double *)sum + (double)n : (double)NAN;
        if (space >= 0) H5Sclose(space);
    }
    H5Oclose(object);
    return 0;
}

double tt_report_count_parameters(const tt_report_run *run) {
    char path[TT_PATH_MAX];
    tt_h5 file = {0};
    double sum = 0;
    if (tt_path_join(path, sizeof path, run->path, "best.h5") != TT_OK || !tt_file_exists(path)) return NAN;
    if (tt_h5_open_any(&file, path, "checkpoint") != TT_OK) {
        tt_warn("%s; its parameters cannot be counted", tt_error_message());
        return NAN;
    }
    int64_t adapted;
    if (tt_h5_has(&file, "/adapters") && tt_h5_get_i64(&file, "/adapters", "parameters", &adapted) ==
                                             TT_OK) { // its weights are in another file
        tt_h5_close(&file);
        return (double)adapted;
    }
    const hid_t model = H5Gopen2(file.file, "/model", H5P_DEFAULT);
    if (model < 0 || H5Literate(model, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_elements, &sum) < 0)
        sum = NAN;
    if (model >= 0) H5Gclose(model);
    tt_h5_close(&file);
    return sum > 0 ? sum : NAN;
}
