# Run by add_compile_fail_test: compiles `file` as its twin, which must pass, then as it is, which must fail with one
# error, which matches `message`.
string(REPLACE "|" ";" system_includes "${system_includes}")
list(TRANSFORM system_includes PREPEND "-isystem")
set(command "${compiler}" -std=c++20 -fsyntax-only ${options} "-I${includes}" ${system_includes})

execute_process(COMMAND ${command} -DSOFTSCORE_TWIN "${file}" RESULT_VARIABLE twin_failed ERROR_VARIABLE output)
if(twin_failed)
  message(NOTICE "${output}")
  message(FATAL_ERROR "the twin of ${file} must compile, but does not")
endif()

execute_process(COMMAND ${command} "${file}" RESULT_VARIABLE refused ERROR_VARIABLE output)
if(NOT refused)
  message(FATAL_ERROR "${file} compiled, but it must be refused")
endif()
if(NOT output MATCHES "${message}")
  message(NOTICE "${output}")
  message(FATAL_ERROR "${file} was refused without the message \"${message}\"")
endif()

string(REGEX MATCHALL "(^|\n)[^\n]*error: " errors "${output}")
list(LENGTH errors count)
if(NOT count EQUAL 1)
  message(NOTICE "${output}")
  message(FATAL_ERROR "${file} must be refused with one sentence, not with ${count} errors")
endif()
