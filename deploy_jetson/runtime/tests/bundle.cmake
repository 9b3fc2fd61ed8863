# Tests of bundles, and the program that pytest compares with Python.
add_executable(bundle_test bundle_test.cpp)
target_compile_definitions(bundle_test PRIVATE PV_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
target_link_libraries(bundle_test PRIVATE pv_bundle doctest::doctest pv_options)
add_test(NAME bundle COMMAND bundle_test)
add_executable(bundle_dump bundle_dump.cpp)
target_link_libraries(bundle_dump PRIVATE pv_bundle pv_options)
