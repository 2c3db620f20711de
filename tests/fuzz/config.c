// A configuration with its base. What is accepted, written and read again is the same.
#include "tests/fuzz/fuzz.h"

#include "host/config/config.h"

#include <string.h>

static const char *const names[] = {"run.yaml", "base.yaml"};

static void write_again(const tt_config *config) {
    tt_str first = {0}, second = {0};
    tt_config again;
    fuzz_must(tt_config_write(config, &first), "an accepted configuration is not written");
    fuzz_write("again.yaml", first.data, first.length);
    fuzz_must(tt_config_load(&again, "again.yaml", NULL, 0), "a written configuration is refused");
    fuzz_must(tt_config_write(&again, &second), "a written configuration is not written again");
    fuzz_require(strcmp(first.data, second.data) == 0, "a written configuration reads as another one");
    tt_config_close(&again);
    tt_str_close(&first);
    tt_str_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tt_config config;
    fuzz_begin(data, size);
    fuzz_write_files(data, size, names, 2);
    if (fuzz_accepted(tt_config_load(&config, "run.yaml", NULL, 0))) {
        tt_config_warn(&config);
        write_again(&config);
        tt_config_close(&config);
    }
    if (fuzz_accepted(tt_config_load_written(&config, "run.yaml"))) tt_config_close(&config);
    return fuzz_end();
}
