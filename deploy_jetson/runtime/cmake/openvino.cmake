# Finds OpenVINO: where CMake finds it by itself (OpenVINO_DIR, an installed package), else in the
# wheel of a Python that has it. Sets OpenVINO_FOUND and makes openvino::runtime.
find_package(OpenVINO QUIET COMPONENTS Runtime)
if(NOT OpenVINO_FOUND)
  # The wheel is looked up, not imported: that takes a second, and its libraries need not load here.
  set(_pv_ask [=[
import importlib.util, pathlib
found = importlib.util.find_spec("openvino")
print(pathlib.Path(found.origin).parent / "cmake" if found and found.origin else "")
]=])
  foreach(_pv_python IN ITEMS "${PV_PYTHON}" "$ENV{VIRTUAL_ENV}/bin/python"
                              "${PROJECT_SOURCE_DIR}/.venv/bin/python" python3)
    execute_process(COMMAND "${_pv_python}" -c "${_pv_ask}" OUTPUT_VARIABLE _pv_folder
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(_pv_folder AND EXISTS "${_pv_folder}/OpenVINOConfig.cmake")
      # Named a hint and not kept as OpenVINO_DIR, which would outlive the environment.
      find_package(OpenVINO QUIET COMPONENTS Runtime PATHS "${_pv_folder}" NO_DEFAULT_PATH)
      break()
    endif()
  endforeach()
endif()
if(OpenVINO_FOUND)
  message(STATUS "OpenVINO ${OpenVINO_VERSION}: ${OpenVINO_DIR}")
else()
  message(STATUS "OpenVINO was not found: no such backend. Its wheel is enough: pip install "
                 "openvino, and -DPV_PYTHON=PYTHON names the Python that has it")
endif()
