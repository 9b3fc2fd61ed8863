# Tests of galleries, and the program that measures them.
add_executable(gallery_test gallery_test.cpp)
target_link_libraries(gallery_test PRIVATE pv_gallery doctest::doctest pv_options)
add_test(NAME gallery COMMAND gallery_test)
add_executable(gallery_dump gallery_dump.cpp)
target_link_libraries(gallery_dump PRIVATE pv_gallery pv_options)
add_executable(gallery_bench gallery_bench.cpp)
target_link_libraries(gallery_bench PRIVATE pv_gallery pv_options)
