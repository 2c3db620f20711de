# generated/version.h: TT_VERSION and TT_COMMIT, for environment.json and `tinythinker --version`.
set(TT_COMMIT "unknown")
find_package(Git QUIET)
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --exclude=*
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE TT_COMMIT
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(WRITE ${PROJECT_BINARY_DIR}/generated/version.h.new
  "#define TT_VERSION \"${PROJECT_VERSION}\"\n#define TT_COMMIT \"${TT_COMMIT}\"\n")
configure_file(${PROJECT_BINARY_DIR}/generated/version.h.new ${PROJECT_BINARY_DIR}/generated/version.h COPYONLY)
