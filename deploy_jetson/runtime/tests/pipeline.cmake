# Tests of pipelines, with an engine that computes nothing; this is what the thread sanitizer runs.
add_executable(pipeline_test pipeline_test.cpp allocations.cpp)
target_link_libraries(pipeline_test PRIVATE pv_pipeline doctest::doctest pv_options)
add_test(NAME pipeline COMMAND pipeline_test)
