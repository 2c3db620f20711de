// The program that is running: where it is, and how to start it anew.
#ifndef TT_BASE_PROGRAM_H
#define TT_BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Writes the running program's file into out[size]; false if it is not known or too long. It is not always what
// /proc/self/exe names: that is the loader where somebody called it by hand (ld-linux-x86-64.so.2 ... PROGRAM ARGUMENTS), as
// bundles do.
bool tt_program_path(char *out, size_t size);

// For main, first of all: how many arguments the program got, its name among them; what is before these in the process's
// command line is then known to tt_program_start.
void tt_program_remember(int argc);
// Runs the program anew in place of this process, by the same loader, with arguments[1] and those behind it up to NULL.
// Signals that ask it to end wait until it has installed its handler (tt_interrupt_hold). Returns only if that failed, with them
// let through and the reason in errno: ENOSYS where the command line is not known (no /proc).
void tt_program_start(const char *const *arguments);

#ifdef __cplusplus
}
#endif

#endif
