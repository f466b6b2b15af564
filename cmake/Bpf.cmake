# BPF objects by clang 14, and their skeletons by bpftool.
find_program(BPF_CLANG NAMES clang-14 REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-14 REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-multiarch OUTPUT_VARIABLE BPF_MULTIARCH
                OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT BPF_MULTIARCH)
  set(BPF_MULTIARCH x86_64-linux-gnu)
endif()

# Names of files stay in the object, for the verifier's messages; where the tree lies does not.
set(BPF_FLAGS -target bpf -ffile-prefix-map=${PROJECT_SOURCE_DIR}=/bascule -mcpu=v3 -O2 -g -std=gnu11
    -Wall -Wextra -Werror -Wno-unused-function -Wno-address-of-packed-member
    -I/usr/include/${BPF_MULTIARCH})

# bpf_skeleton(target NAME n SOURCE file DEPENDS headers [INCLUDES dirs]): compiles `file`, and makes
# <n>.skel.h that users of the interface library `target` include as "<n>.skel.h".
function(bpf_skeleton target)
  cmake_parse_arguments(ARG "" "NAME;SOURCE" "DEPENDS;INCLUDES" ${ARGN})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/skeleton/${ARG_NAME}.skel.h)
  list(TRANSFORM ARG_INCLUDES PREPEND -I)
  add_custom_command(
    OUTPUT ${object} ${skeleton}
    COMMAND ${BPF_CLANG} ${BPF_FLAGS} ${ARG_INCLUDES} -c ${ARG_SOURCE} -o ${object}
    COMMAND ${BPF_STRIP} -g ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/skeleton
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${ARG_NAME}_bpf > ${skeleton}
    DEPENDS ${ARG_SOURCE} ${ARG_DEPENDS}
    COMMENT "BPF ${ARG_NAME}"
    VERBATIM)
  add_custom_target(${target}_generate DEPENDS ${skeleton})
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_generate)
  target_include_directories(${target} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  target_link_libraries(${target} INTERFACE PkgConfig::LIBBPF)
endfunction()
