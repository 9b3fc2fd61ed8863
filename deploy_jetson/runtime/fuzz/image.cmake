# Fuzzing of the image decoders.
find_package(ZLIB REQUIRED)
add_executable(image_fuzz image_fuzz.cpp)
target_link_libraries(image_fuzz PRIVATE pv_image ZLIB::ZLIB pv_options)
target_link_options(image_fuzz PRIVATE -fsanitize=fuzzer)
