# Builds for 64-bit ARM with Debian's cross compiler and its arm64 libraries; tests run under qemu.
# apt: g++-aarch64-linux-gnu qemu-user-static, and after `dpkg --add-architecture arm64` and an
# update: libssl-dev:arm64 zlib1g-dev:arm64 libpng-dev:arm64 libstdc++6:arm64
# libjpeg62-turbo-dev:arm64 (Ubuntu: libjpeg-turbo8-dev:arm64)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Libraries come from the arm64 folders alone; headers without code (nlohmann-json, doctest) are
# the same for every machine and stay where they are.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_LIBRARY_PATH /usr/lib/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
set(CMAKE_IGNORE_PATH /usr/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
find_program(PV_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(PV_QEMU)
  # Without `-L /usr/aarch64-linux-gnu`: its loader beside the C library of libc6:arm64, which is
  # another build, hangs in the first thread that is started.
  set(CMAKE_CROSSCOMPILING_EMULATOR "${PV_QEMU}")
endif()
