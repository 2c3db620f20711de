// Which version this is, and which commit of the project's own repository it was built from.
#ifndef TT_BASE_VERSION_H
#define TT_BASE_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

// "0.1.0". Static memory, as with all texts here.
const char *tt_version(void);
// The abbreviated commit, with "-dirty" behind it where files differed from it when the library was built. A release
// archive has the commit that it was made from. "unknown" if there is neither.
const char *tt_commit(void);
// "tinythinker 0.1.0 (commit)": what files say they were made by.
const char *tt_version_line(void);

#ifdef __cplusplus
}
#endif

#endif
