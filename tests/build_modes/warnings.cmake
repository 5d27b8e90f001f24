# Programs of a caller who includes our headers without -isystem and asks for more warnings than we do: every compiler at
# hand compiles them without one.
cmake_minimum_required(VERSION 3.25)
string(REPLACE "|" ";" system_includes "${system_includes}")
list(TRANSFORM system_includes PREPEND "-isystem")
set(wanted -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
# All that clang knows, less what C++20 and a library of headers cannot do without.
set(everything
    -Weverything
    -Wno-unknown-warning-option
    # C++20 is used, constinit and initializers by name among it.
    -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-c++20-compat
    -Wno-pre-c++14-compat -Wno-pre-c++17-compat -Wno-pre-c++20-compat
    # A comparison of floating-point numbers here means every bit.
    -Wno-float-equal
    # Views are pointers and sizes; structures have padding.
    -Wno-unsafe-buffer-usage -Wno-padded
    # The one class with virtual functions is `error`, which has no file of its own to be emitted in.
    -Wno-weak-vtables
    # Types are deduced from constructors without deduction guides; std::lock_guard's are too.
    -Wno-ctad-maybe-unsupported
    # These two contradict each other where an enumeration has a default.
    -Wno-switch-enum -Wno-switch-default -Wno-covered-switch-default
    # The archetypes of concepts are declared and never defined.
    -Wno-undefined-func-template
    # A defaulted operator<=> sets it off.
    -Wno-zero-as-null-pointer-constant)

set(known)
set(wrong 0)
foreach(name IN ITEMS "${compiler}" g++ g++-14 clang++ clang++-19)
  string(MAKE_C_IDENTIFIER "${name}" variable)
  find_program(found_${variable} "${name}")
  if(NOT found_${variable})
    continue()
  endif()
  file(REAL_PATH "${found_${variable}}" itself)
  if(itself IN_LIST known)
    continue()
  endif()
  list(APPEND known "${itself}")
  execute_process(COMMAND "${itself}" --version OUTPUT_VARIABLE version)
  set(warnings ${wanted})
  if(version MATCHES "clang")
    set(warnings ${wanted} ${everything})
  endif()
  foreach(program IN ITEMS embed/main.cpp custom_degradation.cpp)
    execute_process(COMMAND "${itself}" -std=c++20 -fsyntax-only ${warnings} "-I${includes}" ${system_includes}
                            "${examples}/${program}" RESULT_VARIABLE failed ERROR_VARIABLE output)
    if(failed OR NOT output STREQUAL "")
      message(NOTICE "${itself} ${program}\n${output}")
      set(wrong 1)
    endif()
  endforeach()
endforeach()
if(wrong)
  message(FATAL_ERROR "a caller's compiler must find nothing in our headers")
endif()
