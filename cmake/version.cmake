# generated/commit.h for host/base/version.c, looked at in every build: cmake/commit.cmake says what it contains.
find_package(Git QUIET)
set(TT_COMMIT_HEADER ${PROJECT_BINARY_DIR}/generated/commit.h)
add_custom_target(tt_commit BYPRODUCTS ${TT_COMMIT_HEADER} VERBATIM
  COMMAND ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR} -D OUT=${TT_COMMIT_HEADER} -D VERSION=${PROJECT_VERSION}
    -D GIT=${GIT_EXECUTABLE} -P ${PROJECT_SOURCE_DIR}/cmake/commit.cmake)
set_source_files_properties(${PROJECT_SOURCE_DIR}/host/base/version.c PROPERTIES
  OBJECT_DEPENDS ${TT_COMMIT_HEADER} INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/generated)
