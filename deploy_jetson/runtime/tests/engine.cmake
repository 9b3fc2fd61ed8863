# Tests of engines, and the program that pytest compares with Python.
add_executable(engine_test engine_test.cpp)
target_link_libraries(engine_test PRIVATE pv_engine doctest::doctest pv_options)
add_test(NAME engine COMMAND engine_test)
add_executable(engine_dump engine_dump.cpp)
target_link_libraries(engine_dump PRIVATE pv_engine pv_options)
