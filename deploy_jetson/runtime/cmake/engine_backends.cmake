# Which runtimes this build can have.
if(PV_OPENVINO)
  include("${CMAKE_CURRENT_LIST_DIR}/openvino.cmake")
endif()
if(TENSORRT_ROOT)
  include("${CMAKE_CURRENT_LIST_DIR}/tensorrt.cmake")
endif()
