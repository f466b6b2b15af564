# Language level, warnings and sanitizers, the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(BASCULE_SANITIZE "" CACHE STRING "Sanitizers for every target, as for -fsanitize=")
option(BASCULE_FUZZ "Build the libFuzzer targets (clang only)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-fno-omit-frame-pointer)
# Line tables are what a backtrace needs; all of a variable's life costs a quarter of the compiler's
# time. Packages are built with flags of their own.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(BASCULE_WARNINGS -Wall -Wextra -Werror -Wshadow -Wcast-align -Wconversion -Wno-sign-conversion)
set(BASCULE_WARNINGS_CXX -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 raises it for the frames of Asio's coroutines, which pair their own new and delete.
  list(APPEND BASCULE_WARNINGS_CXX -Wno-mismatched-new-delete)
endif()

if(BASCULE_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio fences its handler queue, which the sanitizer does not follow; the queue is locked as well.
  list(APPEND BASCULE_WARNINGS_CXX -Wno-tsan)
endif()

if(BASCULE_SANITIZE)
  add_compile_options(-fsanitize=${BASCULE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BASCULE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # clang 14 puts its check of calls by pointer before each part of a split coroutine, and then
    # cannot assemble it.
    add_compile_options(-fno-sanitize=function)
  endif()
endif()

# What many files of a target include, parsed once. Only where the preset asks for it: what is built
# without it shows that each file includes what it uses.
option(BASCULE_PRECOMPILE "Precompile what many files of a target include" OFF)
function(bascule_precompile target)
  if(BASCULE_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# bascule_library(name SOURCES ... LINKS ...): one library a folder. What is in LINKS is seen by
# its users too; PRIVATE_LINKS is not.
function(bascule_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  bascule_warnings(${name})
endfunction()

function(bascule_warnings name)
  target_compile_options(${name} PRIVATE ${BASCULE_WARNINGS}
                         $<$<COMPILE_LANGUAGE:CXX>:${BASCULE_WARNINGS_CXX}>)
endfunction()

function(bascule_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS})
  bascule_warnings(${name})
endfunction()
