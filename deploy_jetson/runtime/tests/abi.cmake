# Tests of the C interface, through the shared library as anybody would use it.
add_executable(abi_test abi_test.cpp)
target_compile_definitions(abi_test PRIVATE PV_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
target_link_libraries(abi_test PRIVATE personvit::personvit pv_image_encoders doctest::doctest
                      pv_options)
add_test(NAME abi COMMAND abi_test)
# The header must be C, too.
add_library(personvit_header_is_c OBJECT abi_header.c)
target_compile_options(personvit_header_is_c PRIVATE -std=c99 -Wall -Wextra -Wpedantic -Werror)
target_link_libraries(personvit_header_is_c PRIVATE personvit::personvit)
