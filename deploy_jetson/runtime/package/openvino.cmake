# OpenVINO from a Python wheel travels with what is installed, in a folder of its own: no Debian
# package has it, and a virtual environment may be gone tomorrow.
include("${CMAKE_CURRENT_SOURCE_DIR}/../cmake/engine_backends.cmake")
if(NOT PV_OPENVINO OR NOT OpenVINO_FOUND)
  return()
endif()
get_target_property(PV_OPENVINO_LIBRARY openvino::runtime LOCATION)
get_filename_component(PV_OPENVINO_FOLDER "${PV_OPENVINO_LIBRARY}" DIRECTORY)
if(NOT PV_OPENVINO_FOLDER MATCHES "-packages/openvino/libs$")
  return()  # installed for the whole machine: it is found there
endif()

file(GLOB PV_OPENVINO_FILES
     "${PV_OPENVINO_FOLDER}/libopenvino.so*" "${PV_OPENVINO_FOLDER}/libopenvino_ir_frontend.so*"
     "${PV_OPENVINO_FOLDER}/libopenvino_onnx_frontend.so*"
     "${PV_OPENVINO_FOLDER}/libopenvino_*_cpu_plugin.so" "${PV_OPENVINO_FOLDER}/libtbb.so*"
     "${PV_OPENVINO_FOLDER}/libtbbmalloc.so*")
install(FILES ${PV_OPENVINO_FILES} DESTINATION "${CMAKE_INSTALL_LIBDIR}/personvit")
file(GLOB PV_OPENVINO_LICENCES "${PV_OPENVINO_FOLDER}/../../openvino-*.dist-info/licenses")
if(PV_OPENVINO_LICENCES)
  install(DIRECTORY ${PV_OPENVINO_LICENCES}/
          DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/personvit-runtime/openvino")
endif()
file(RELATIVE_PATH PV_FROM_PROGRAMS "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}/personvit")
foreach(target IN LISTS PV_INSTALLED)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${PV_FROM_PROGRAMS}")
endforeach()
set_target_properties(personvit PROPERTIES INSTALL_RPATH "$ORIGIN/personvit")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PV_OPENVINO_FOLDER}")
