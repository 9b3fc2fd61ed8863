# Tests of the C interface, through the shared library as anybody would use it.
add_executable(abi_test abi_test.cpp)
target_compile_definitions(abi_test PRIVATE PV_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
target_link_libraries(abi_test PRIVATE personvit::personvit pv_image_encoders doctest::doctest
                      pv_options)
add_test(NAME abi COMMAND abi_test)
# The C++ header over it.
add_executable(wrapper_test wrapper_test.cpp)
target_compile_definitions(wrapper_test PRIVATE PV_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
target_link_libraries(wrapper_test PRIVATE personvit::personvit pv_image_encoders doctest::doctest
                      pv_options)
add_test(NAME wrapper COMMAND wrapper_test)
# The header must be C, too.
add_library(personvit_header_is_c OBJECT abi_header.c)
target_compile_options(personvit_header_is_c PRIVATE -std=c99 -Wall -Wextra -Wpedantic -Werror)
target_link_libraries(personvit_header_is_c PRIVATE personvit::personvit)
# What pytest -m slow runs for a million embeds.
find_package(Threads REQUIRED)
add_executable(endurance endurance.cpp)
target_link_libraries(endurance PRIVATE personvit::personvit Threads::Threads pv_options)
