# Kernels broken on purpose, on copies: each must be caught, and the complaint must say where and what.
#   add_broken(name KERNEL TEST FILE words...): FILE of the copy is edited by broken/NAME.sed, KERNEL (a .cu that
#   uses it) is compiled from there, and tests/cuda/test_cuda_TEST is run with it.
function(add_broken name kernel test file)
  set(copy ${CMAKE_CURRENT_BINARY_DIR}/broken/${name})
  set(broken ${copy}/kernels/cuda/${kernel}.cu)
  set(edit ${CMAKE_CURRENT_SOURCE_DIR}/broken/${name}.sed)
  add_custom_command(OUTPUT ${broken}
    COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/break.sh ${PROJECT_SOURCE_DIR} ${copy} ${file} ${edit}
    DEPENDS ${edit} ${kernels} ${headers} ${CMAKE_CURRENT_SOURCE_DIR}/break.sh ${CMAKE_CURRENT_LIST_FILE} VERBATIM)
  set_source_files_properties(${broken} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${as_cxx};-fsanitize=thread")
  add_executable(cusim_broken_${name} ${PROJECT_SOURCE_DIR}/tests/cuda/test_cuda_${test}.c ${broken})
  target_include_directories(cusim_broken_${name} BEFORE PRIVATE ${copy})
  cusim_options(cusim_broken_${name})
  target_compile_options(cusim_broken_${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${checked_options}>" -Wno-conversion)
  target_link_libraries(cusim_broken_${name} PRIVATE tt_cusim_checked tinythinker PkgConfig::CMOCKA)
  add_test(NAME cusim/broken_${name}
    COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/expect_caught.sh $<TARGET_FILE:cusim_broken_${name}> ${ARGN})
  set_tests_properties(cusim/broken_${name} PROPERTIES LABELS cusim TIMEOUT 300)
endfunction()

add_broken(removed_barrier reduce rows kernel.cuh square_strips sums)
add_broken(removed_second_barrier embedding rows embedding.cu place race others)
add_broken(off_by_one_global ffn rows ffn.cu forward "out of bounds")
add_broken(off_by_one_shared sample decode sample.cu sample_rows memory)
add_broken(narrow_reduction rmsnorm rows kernel.cuh "norm(difference)")
add_broken(wide_reduction rmsnorm rows kernel.cuh forward "reads lane 32")
add_broken(misaligned_load rows rows rows.cu put misaligned)
add_broken(divergent_barrier lmhead products lmhead.cu head_rows "divergent barrier")
add_broken(two_writers rmsnorm rows rmsnorm.cu weight_strips race "another block")
add_broken(divergent_warp attention attention attention.cu attention_forward "divergent mma")
