// A file system that has no locks, as many in networks: everything works, with a warning where a lock was wanted.
#include "host/base/lock.h"
#include "host/data/hdf5_file.h"
#include "tests/expect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

// Takes the place of the C library's for this program and for the HDF5 library.
int flock(int file, int operation) {
    (void)file;
    (void)operation;
    errno = ENOLCK;
    return -1;
}

static void files_are_written_and_read(void **state) {
    (void)state;
    tt_h5 h;
    OK(tt_h5_create(&h, "no_locks.h5", "corpus"));
    OK(tt_h5_commit(&h));
    OK(tt_h5_open(&h, "no_locks.h5", "corpus"));
    tt_h5_close(&h);
    unlink("no_locks.h5");
}

static void a_lock_is_not_needed(void **state) {
    (void)state;
    tt_lock lock;
    const int file = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(file >= 0);
    OK(tt_lock_take(&lock, file, "no_locks.note", "."));
    assert_int_equal(access("no_locks.note", F_OK), -1); // nobody is said to have what cannot be had
    tt_lock_release(&lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_and_read),
        cmocka_unit_test(a_lock_is_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
