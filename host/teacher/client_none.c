// A build without libcurl.
#include "host/teacher/client.h"

tt_status tt_client_run(const tt_client_options *options, const tt_client_caller *caller) {
    (void)options, (void)caller;
    return tt_fail(TT_ERR_UNSUPPORTED, "this build has no libcurl, which asking a teacher needs: install "
                                       "libcurl4-openssl-dev and build again, or use --export-batch");
}
