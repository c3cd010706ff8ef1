# mnv2c for CMake: networks compiled as part of a build.
#
#   execute_process(COMMAND mnv2c cmake-dir OUTPUT_VARIABLE mnv2c_DIR OUTPUT_STRIP_TRAILING_WHITESPACE)
#   find_package(mnv2c CONFIG REQUIRED)
#   mnv2c_add_model(net MODEL mobilenet_v2 TARGET cortex-a76 WEIGHTS net.safetensors)
#   target_link_libraries(app PRIVATE net)
#
# MNV2C_EXECUTABLE is the program; set it where `mnv2c` is not found.

if(CMAKE_VERSION VERSION_LESS 3.20)
  set(mnv2c_FOUND FALSE)
  set(mnv2c_NOT_FOUND_MESSAGE "mnv2c needs CMake 3.20 or newer, which follows dependency files")
  return()
endif()

cmake_policy(PUSH)
cmake_policy(VERSION 3.20)

# Beside the Python installation that this file belongs to, or on the path.
find_program(MNV2C_EXECUTABLE mnv2c HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../../../../bin"
  DOC "The command mnv2c")
if(NOT MNV2C_EXECUTABLE)
  set(mnv2c_FOUND FALSE)
  set(mnv2c_NOT_FOUND_MESSAGE "the command mnv2c is not on the path; set MNV2C_EXECUTABLE")
endif()

# mnv2c_add_model(<name> MODEL <zoo name, SPEC.toml or FILE.onnx>
#                 [TARGET <target or T.toml>] [WEIGHTS <file>] [OUTPUT <folder>] [OPTIONS <option of `mnv2c compile`>...])
#
# Adds the library target <name>, an imported static library with its header's folder. <name> is also what every symbol
# begins with, so it must be a C identifier. Files are relative to the current source folder. The model is compiled anew
# when it, its weights, the target's file or mnv2c itself changes. TARGET may be left out (host) unless cross-compiling;
# OUTPUT is `<name>.mnv2c` in the current binary folder by default, and also holds the shared library and the rest.
function(mnv2c_add_model name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODEL;TARGET;WEIGHTS;OUTPUT" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mnv2c_add_model(${name}): unknown argument ${arg_UNPARSED_ARGUMENTS}; mnv2c's own options "
      "follow OPTIONS")
  endif()
  if(NOT arg_MODEL)
    message(FATAL_ERROR "mnv2c_add_model(${name}): MODEL is missing")
  endif()
  if(NOT arg_TARGET)
    if(CMAKE_CROSSCOMPILING)
      message(FATAL_ERROR "mnv2c_add_model(${name}): TARGET is needed to cross-compile (see `mnv2c targets`)")
    endif()
    set(arg_TARGET host)
  endif()
  if(NOT arg_OUTPUT)
    set(arg_OUTPUT "${name}.mnv2c")
  endif()
  get_filename_component(folder "${arg_OUTPUT}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  foreach(word MODEL TARGET WEIGHTS)
    if(arg_${word} MATCHES "[.](toml|onnx|safetensors|pth|pt|bin)$")
      get_filename_component(arg_${word} "${arg_${word}}" ABSOLUTE)
      list(APPEND files "${arg_${word}}")
    endif()
  endforeach()
  if(arg_WEIGHTS)
    list(APPEND arg_OPTIONS --weights "${arg_WEIGHTS}")
  endif()
  file(MAKE_DIRECTORY "${folder}")  # CMake wants folders of headers to exist

  add_custom_command(
    OUTPUT "${folder}/lib${name}.a" "${folder}/${name}.h"
    COMMAND "${MNV2C_EXECUTABLE}" compile "${arg_MODEL}" --target "${arg_TARGET}" --name "${name}"
      --output "${folder}" --depfile "${folder}/${name}.d" --quiet ${arg_OPTIONS}
    DEPENDS ${files}
    DEPFILE "${folder}/${name}.d"
    COMMENT "Compiling ${arg_MODEL} for ${arg_TARGET}"
    VERBATIM)
  add_custom_target(${name}_mnv2c DEPENDS "${folder}/lib${name}.a" "${folder}/${name}.h")
  add_library(${name} STATIC IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES
    IMPORTED_LOCATION "${folder}/lib${name}.a"
    INTERFACE_INCLUDE_DIRECTORIES "${folder}")
  if(NOT APPLE)
    set_target_properties(${name} PROPERTIES INTERFACE_LINK_LIBRARIES m)
  endif()
  add_dependencies(${name} ${name}_mnv2c)
endfunction()

cmake_policy(POP)
