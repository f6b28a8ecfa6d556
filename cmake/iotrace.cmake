# Flags, and the helpers that every folder's CMakeLists.txt uses.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(iotrace_flags INTERFACE)
target_include_directories(iotrace_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(iotrace_flags INTERFACE _GNU_SOURCE IOTRACE_VERSION="${PROJECT_VERSION}")
target_compile_options(iotrace_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wmissing-prototypes -Wstrict-prototypes
    -Wimplicit-fallthrough -Wpointer-arith -Wconversion -Wno-gnu-zero-variadic-macro-arguments
    -fno-strict-aliasing)
if(IOTRACE_WERROR)
    target_compile_options(iotrace_flags INTERFACE -Werror)
endif()
if(IOTRACE_SANITIZE)
    target_compile_options(iotrace_flags INTERFACE
        -fsanitize=${IOTRACE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(iotrace_flags INTERFACE -fsanitize=${IOTRACE_SANITIZE})
else()
    target_compile_options(iotrace_flags INTERFACE -fstack-protector-strong)
    target_link_options(iotrace_flags INTERFACE LINKER:-z,relro LINKER:-z,now)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_options(iotrace_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_definitions(iotrace_flags INTERFACE IOTRACE_CHAOS)
endif()
# Assertions on what we believe stay on in a release: a tracer that goes on with a broken belief
# disturbs somebody else's program.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

# iotrace_library(base SOURCES a.c b.c DEPENDS other...): one folder, one static library.
function(iotrace_library name)
    cmake_parse_arguments(A "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
    add_library(iotrace_${name} STATIC ${A_SOURCES})
    target_link_libraries(iotrace_${name} PUBLIC iotrace_flags)
    foreach(d ${A_DEPENDS})
        target_link_libraries(iotrace_${name} PUBLIC iotrace_${d})
    endforeach()
    target_link_libraries(iotrace_${name} PRIVATE ${A_PRIVATE})
endfunction()
