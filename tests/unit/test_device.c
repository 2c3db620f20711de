// Devices: which table of operations is complete, what names and precisions are refused.
#include "tests/twins/twin.h"

// Each operation in turn is taken out of a table; its name is what is reported.
static void a_missing_operation_is_named(void **state) {
    (void)state;
    tt_device *device;
    twin_ok(tt_device_open(&device, "cpu", TT_FP32, 1));
    assert_null(tt_ops_missing(device->ops));
    static const struct {
        const char *name;
        size_t offset;
    } operations[] = {
#define ROW(name) {#name, offsetof(tt_ops, name)},
        TT_OPS_MAP(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; ++i) {
        tt_ops broken = *device->ops;
        memset((char *)&broken + operations[i].offset, 0, sizeof(void (*)(void)));
        assert_string_equal(tt_ops_missing(&broken), operations[i].name);
    }
    tt_device_close(device);
}

static void unknown_devices_are_refused(void **state) {
    (void)state;
    tt_device *device;
    tt_precision precision;
    twin_refused(tt_device_open(&device, "tpu", TT_FP32, 1), TT_ERR_CONFIG, "auto, cpu, cuda");
    assert_null(device);
    twin_refused(tt_precision_parse(&precision, "fp64"), TT_ERR_USAGE, "auto, fp32, bf16");
    twin_refused(tt_precision_parse(&precision, "fp16"), TT_ERR_USAGE, "overflow");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_operation_is_named),
        cmocka_unit_test(unknown_devices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
