# cmake/FindLibtorch.cmake: imports libtorch without its own CMake package,
# which insists on a CUDA toolkit when the wheel is a CUDA build.
#
# Looks in TORCH_DIR (variable or environment: the folder with include/ and
# lib/), for the Python package in the packages of its interpreter, then in
# CMAKE_PREFIX_PATH, then in the project's virtual environment.
# Gives the targets libtorch::torch and, for extensions of Python,
# libtorch::python, and the variables Libtorch_VERSION, Libtorch_ROOT and
# Libtorch_HAS_CUDA.

set(libtorch_hints "${TORCH_DIR}" "$ENV{TORCH_DIR}")
if(ACCELERATE_BUILD_PYTHON)
  list(APPEND libtorch_hints "${Python_SITELIB}/torch")
endif()
foreach(prefix IN LISTS CMAKE_PREFIX_PATH)
  # torch.utils.cmake_prefix_path is <torch>/share/cmake.
  list(APPEND libtorch_hints "${prefix}" "${prefix}/../.." "${prefix}/torch")
endforeach()
file(GLOB libtorch_venv "${CMAKE_CURRENT_LIST_DIR}/../.deps/venv/lib/python3.*/site-packages/torch")
list(APPEND libtorch_hints ${libtorch_venv})
list(REMOVE_ITEM libtorch_hints "")

find_path(Libtorch_ROOT NAMES include/torch/csrc/api/include/torch/torch.h
  HINTS ${libtorch_hints} NO_DEFAULT_PATH
  DOC "Folder of libtorch, with include/ and lib/")
if(Libtorch_ROOT)
  get_filename_component(Libtorch_ROOT "${Libtorch_ROOT}" REALPATH)
  find_library(Libtorch_torch torch HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
  find_library(Libtorch_torch_cpu torch_cpu HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
  find_library(Libtorch_c10 c10 HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
  find_library(Libtorch_torch_cuda torch_cuda HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
  mark_as_advanced(Libtorch_torch Libtorch_torch_cpu Libtorch_c10 Libtorch_torch_cuda)
  set(Libtorch_VERSION "")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${Libtorch_ROOT}/include/torch/headeronly/version.h" libtorch_line
      REGEX "define TORCH_VERSION_${part} [0-9]+")
    string(REGEX MATCH "[0-9]+$" libtorch_part "${libtorch_line}")
    list(APPEND Libtorch_VERSION "${libtorch_part}")
  endforeach()
  list(JOIN Libtorch_VERSION "." Libtorch_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS Libtorch_ROOT Libtorch_torch Libtorch_torch_cpu Libtorch_c10
  VERSION_VAR Libtorch_VERSION
  REASON_FAILURE_MESSAGE
  "set TORCH_DIR to the folder of an installed libtorch (for a wheel, the folder site-packages/torch), or run tools/setup.sh, which installs one")

if(Libtorch_FOUND AND NOT TARGET libtorch::torch)
  if(Libtorch_VERSION VERSION_LESS 2.11 OR Libtorch_VERSION VERSION_GREATER_EQUAL 2.14)
    message(WARNING "libtorch ${Libtorch_VERSION} is outside the supported 2.11 … 2.13")
  endif()
  set(Libtorch_HAS_CUDA OFF)
  if(Libtorch_torch_cuda AND NOT ACCELERATE_CUDA STREQUAL "OFF")
    find_package(CUDAToolkit QUIET)
    if(CUDAToolkit_FOUND)
      set(Libtorch_HAS_CUDA ON)
    elseif(ACCELERATE_CUDA STREQUAL "ON")
      message(FATAL_ERROR "ACCELERATE_CUDA=ON, but no CUDA toolkit was found")
    endif()
  elseif(ACCELERATE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ACCELERATE_CUDA=ON, but ${Libtorch_ROOT} is a CPU build")
  endif()

  add_library(libtorch::torch INTERFACE IMPORTED)
  target_include_directories(libtorch::torch SYSTEM INTERFACE
    "${Libtorch_ROOT}/include"
    "${Libtorch_ROOT}/include/torch/csrc/api/include")
  target_compile_definitions(libtorch::torch INTERFACE
    USE_DISTRIBUTED USE_C10D_GLOO)
  # libtorch.so only pulls in the others; name them, so that the linker's
  # --as-needed cannot drop the kernels.
  target_link_libraries(libtorch::torch INTERFACE
    "-Wl,--no-as-needed" "${Libtorch_torch_cpu}" "${Libtorch_c10}" "${Libtorch_torch}"
    "-Wl,--as-needed")
  # An extension of Python is loaded after torch, whose libraries it then uses.
  target_link_options(libtorch::torch INTERFACE
    $<$<NOT:$<BOOL:${ACCELERATE_BUILD_PYTHON}>>:-Wl,-rpath,${Libtorch_ROOT}/lib>)
  if(Libtorch_HAS_CUDA)
    find_library(Libtorch_c10_cuda c10_cuda HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
    target_link_libraries(libtorch::torch INTERFACE
      "-Wl,--no-as-needed" "${Libtorch_torch_cuda}" "${Libtorch_c10_cuda}" "-Wl,--as-needed"
      CUDA::cudart)
    target_compile_definitions(libtorch::torch INTERFACE USE_C10D_NCCL)
  endif()

  find_library(Libtorch_torch_python torch_python HINTS "${Libtorch_ROOT}/lib" NO_DEFAULT_PATH)
  mark_as_advanced(Libtorch_torch_python)
  if(Libtorch_torch_python)
    add_library(libtorch::python INTERFACE IMPORTED)
    target_link_libraries(libtorch::python INTERFACE libtorch::torch "${Libtorch_torch_python}")
  endif()
endif()
