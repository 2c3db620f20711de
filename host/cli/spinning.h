// How long threads that wait for each other keep their core before they give it up.
#ifndef TT_CLI_SPINNING_H
#define TT_CLI_SPINNING_H

// Both bound it to some 200 microseconds (GOMP_SPINCOUNT). OpenMP's default is 20 to 40 times that: two programs on the same
// cores then hold each other up far more than twice. They do nothing where the user has set one of OpenMP's variables for it.
//
// OpenMP reads its variables when its library begins. Before that, the environment cannot grow, but the place of `_` can be
// taken, in which shells name the program that they start: nobody here reads it.
void tt_spinning_set(char **environment);
// Where there was no `_`: sets the variable and starts the program anew, with the same arguments, in the same process, which
// costs some 25 milliseconds. To be called early in main. Does nothing under a debugger or valgrind, or where the program cannot
// be started again.
void tt_spinning_bound(char **argv);

#endif
