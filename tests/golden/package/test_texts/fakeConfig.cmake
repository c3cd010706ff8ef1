# fake for CMake. The folder may be moved.
#
#   find_package(fake CONFIG REQUIRED PATHS FOLDER)
#   target_link_libraries(app PRIVATE fake::fake)   # the shared library; fake::static is the other

set(fake_FOUND TRUE)
if(CMAKE_SYSTEM_NAME AND NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(fake_FOUND FALSE)
  set(fake_NOT_FOUND_MESSAGE
    "fake was compiled for aarch64-linux-gnu, not for ${CMAKE_SYSTEM_NAME}; compile it with another --target or --libc")
elseif(CMAKE_SYSTEM_PROCESSOR AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(fake_FOUND FALSE)
  set(fake_NOT_FOUND_MESSAGE
    "fake was compiled for aarch64-linux-gnu, not for ${CMAKE_SYSTEM_PROCESSOR}; compile it with another --target")
endif()

if(fake_FOUND AND NOT TARGET fake::fake)
  add_library(fake::fake SHARED IMPORTED)
  set_target_properties(fake::fake PROPERTIES
    IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/libfake.so.2"
    IMPORTED_SONAME "libfake.so.2"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}")
  add_library(fake::static STATIC IMPORTED)
  set_target_properties(fake::static PROPERTIES
    IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/libfake.a"
    INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}"
    INTERFACE_LINK_LIBRARIES "m")
endif()
