#!/bin/sh
# Installs everything into a folder that was not named when the tree was configured, moves it, runs
# the programs, and builds an example against the library in both ways that other projects use:
# pkg-config and find_package.
#
#     test_package.sh CMAKE BUILD_DIR EXAMPLE.c
set -eu
cmake=$1
build=$2
example=$3
work=$build/scratch/package
rm -rf "$work"
mkdir -p "$work/project"
"$cmake" --install "$build" --prefix "$work/unpacked" >"$work/install.log"
mv "$work/unpacked" "$work/installed"

for program in holdfastd holdfast holdfast-log holdfast-bench; do
  "$work/installed/bin/$program" --version >/dev/null
done

pc_dir=$(dirname "$(find "$work/installed" -name holdfast.pc)")
lib_dir=$(dirname "$pc_dir")
export PKG_CONFIG_PATH="$pc_dir"
flags=$(pkg-config --cflags --libs holdfast)
# shellcheck disable=SC2086 # flags are several words
cc -std=c11 -Wall -Wextra -Werror -o "$work/by_pkg_config" "$example" $flags

cat >"$work/project/CMakeLists.txt" <<PROJECT
cmake_minimum_required(VERSION 3.16)
project(buyer C)
find_package(holdfast 0.1 REQUIRED)
add_executable(by_cmake $example)
target_link_libraries(by_cmake PRIVATE holdfast::client)
PROJECT
"$cmake" -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/installed" \
  >"$work/cmake.log"
"$cmake" --build "$work/project/build" >>"$work/cmake.log"

# they run: with nobody listening the example ends by itself, having told why
for program in "$work/by_pkg_config" "$work/project/build/by_cmake"; do
  if LD_LIBRARY_PATH=$lib_dir "$program" nosuchhost.invalid >"$work/run.log" 2>&1; then
    echo "$program: bought from nobody"
    exit 1
  fi
  grep -q "no address" "$work/run.log" || { cat "$work/run.log"; exit 1; }
done
rm -rf "$work"
