# Everything comes from the system's packages; tools/setup.sh installs them on Debian and Ubuntu.
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 REQUIRED COMPONENTS C)
# By header and library: the CMake package of Debian's libdnnl-dev asks for OpenCL, which the C API on a CPU
# does not need.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)

add_library(tt_dependencies INTERFACE)
target_link_libraries(tt_dependencies INTERFACE OpenMP::OpenMP_C PkgConfig::YAML PkgConfig::JANSSON
  PkgConfig::SENTENCEPIECE ${HDF5_C_LIBRARIES} ${DNNL_LIBRARY} m)
target_include_directories(tt_dependencies SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS} ${DNNL_INCLUDE_DIR})
target_compile_definitions(tt_dependencies INTERFACE ${HDF5_C_DEFINITIONS})

# For asking a teacher; the rest does without.
pkg_check_modules(CURL IMPORTED_TARGET "libcurl>=7.66")
set(TT_HAVE_CURL ${CURL_FOUND})
if(CURL_FOUND)
  target_link_libraries(tt_dependencies INTERFACE PkgConfig::CURL)
endif()

set(TT_HAVE_MPI FALSE)
if(TT_MPI)
  find_package(MPI COMPONENTS C)
  if(MPI_C_FOUND)
    set(TT_HAVE_MPI TRUE)
    target_link_libraries(tt_dependencies INTERFACE MPI::MPI_C)
    target_compile_definitions(tt_dependencies INTERFACE TT_HAVE_MPI)
  endif()
endif()
