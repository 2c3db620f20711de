// How long threads that wait for each other keep their core before they give it up.
#ifndef TT_CLI_SPINNING_H
#define TT_CLI_SPINNING_H

// Bounds it to some 80 microseconds. OpenMP's default is a hundred times that: two programs on the same cores then hold each
// other up far more than twice. OpenMP reads its variables when it is loaded, so that the program sets them
// (GOMP_SPINCOUNT) and starts itself anew, with the same arguments, in the same process. To be called first in main. Does
// nothing where the user has set one of OpenMP's variables for it, under a debugger or valgrind, or where the program cannot
// be started again.
void tt_spinning_bound(char **argv);

#endif
