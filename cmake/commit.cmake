# Writes commit.h with TT_COMMIT, when the build runs, and only if it differs from what is there: then version.c alone is
# compiled again.
#   cmake -D SOURCE=FOLDER -D OUT=FILE -D VERSION=X.Y.Z [-D GIT=PROGRAM] -P cmake/commit.cmake
# The commit is that of SOURCE's own repository. A repository that happens to contain SOURCE says nothing about it. In
# what `git archive` packs, archived_commit.txt names the commit (.gitattributes).
set(commit "")
get_filename_component(source ${SOURCE} REALPATH)
if(GIT)
  # A build as root of another user's files is no reason to know nothing: nothing of the repository is run here.
  set(git ${CMAKE_COMMAND} -E env GIT_OPTIONAL_LOCKS=0 ${GIT} -c safe.directory=* -c core.fsmonitor=false -C ${source})
  execute_process(COMMAND ${git} rev-parse --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
  if(top)
    get_filename_component(top ${top} REALPATH)
  endif()
  if(top STREQUAL source)
    execute_process(COMMAND ${git} describe --always --dirty --exclude=* OUTPUT_VARIABLE commit
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT commit)
  file(STRINGS ${source}/cmake/archived_commit.txt archived LIMIT_COUNT 1)
  if(archived MATCHES "^[0-9a-f]+$")
    set(commit ${archived})
  else()
    set(commit "unknown")
  endif()
endif()
set(text "#define TT_VERSION \"${VERSION}\"\n#define TT_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUT} "${text}")
endif()
