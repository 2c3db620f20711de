# What is installed, in two components, each a Debian package (cpack): `program` with its data, man page and completions,
# and `development`, the library for find_package(tinythinker).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
# With tests, `all` is far more than what is installed: build first, then install.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ${TT_TESTS})

# Folders of our own are for all to read, whatever the umask. (Files and what lies below are anyway.)
set(TT_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tinythinker)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_DATADIR}/tinythinker COMPONENT program)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tinythinker COMPONENT development)
install(DIRECTORY DESTINATION ${TT_CMAKE_DIR} COMPONENT development)

# The installed program finds its data by where it is itself.
file(RELATIVE_PATH TT_DATA_FROM_PROGRAM /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_DATADIR}/tinythinker)
set_property(SOURCE host/base/shipped.c APPEND PROPERTY
  COMPILE_DEFINITIONS "TT_DATA_FROM_PROGRAM=\"${TT_DATA_FROM_PROGRAM}\"")

install(TARGETS ${TT_PROGRAM} COMPONENT program)
install(DIRECTORY configs datasets DESTINATION ${CMAKE_INSTALL_DATADIR}/tinythinker COMPONENT program
  PATTERN "*.tmp" EXCLUDE)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT program)

# Man page and completions, written by the program from its own tables.
if(TT_PROGRAM AND NOT TT_SANITIZE AND (NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR))
  set(TT_MANUAL ${PROJECT_BINARY_DIR}/manual)
  add_custom_command(OUTPUT ${TT_MANUAL}/tinythinker.1 ${TT_MANUAL}/tinythinker.bash ${TT_MANUAL}/_tinythinker
    COMMAND tinythinker_cli manual ${TT_MANUAL} DEPENDS tinythinker_cli VERBATIM)
  add_custom_target(manual ALL DEPENDS ${TT_MANUAL}/tinythinker.1)
  install(FILES ${TT_MANUAL}/tinythinker.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
  install(FILES ${TT_MANUAL}/tinythinker.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME tinythinker COMPONENT program)
  # Debian's zsh looks into other folders below /usr than below /usr/local.
  install(CODE "set(TT_ZSH site-functions)
    if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
      set(TT_ZSH vendor-completions)
    endif()
    file(INSTALL \"${TT_MANUAL}/_tinythinker\"
      DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${TT_ZSH}\")" COMPONENT program)
endif()

install(TARGETS tinythinker tt_dependencies EXPORT tinythinker COMPONENT development)
install(EXPORT tinythinker FILE tinythinker-targets.cmake NAMESPACE tinythinker:: DESTINATION ${TT_CMAKE_DIR}
  COMPONENT development)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tinythinker-config-version.cmake
  COMPATIBILITY SameMinorVersion)
configure_file(cmake/tinythinker-config.cmake.in tinythinker-config.cmake @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tinythinker-config.cmake
  ${PROJECT_BINARY_DIR}/tinythinker-config-version.cmake DESTINATION ${TT_CMAKE_DIR} COMPONENT development)
install(DIRECTORY host kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tinythinker COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "cpu" EXCLUDE PATTERN "cli" EXCLUDE)

# cpack: two .deb files. Which libraries the program needs is read from the program.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tinythinker)
set(CPACK_PACKAGE_VENDOR tinythinker)
set(CPACK_PACKAGE_CONTACT "The tinythinker maintainers <maintainers@tinythinker.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "teaches small T5 students to reason in three stages")
set(CPACK_PACKAGE_DESCRIPTION "TinyThinker distils a teacher's reasoning into encoder-decoders of a few million to a few
billion parameters, which recall, analyze and summarize. Experiments are YAML files; they run on CPUs or GPUs, on one
machine or under MPI.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_permissions.cmake)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME tinythinker)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtinythinker-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "The library of tinythinker, with its headers and its CMake package.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libdnnl-dev, libhdf5-dev, libyaml-dev, libjansson-dev, libsentencepiece-dev, libprotobuf-dev, pkg-config")
if(TT_HAVE_MPI)
  set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS openmpi-bin)
  string(APPEND CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS ", libopenmpi-dev")
endif()
include(CPack)
