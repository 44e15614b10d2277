# Every warning that the project holds itself to, for gcc and clang, in one place.
include(CheckCCompilerFlag)

add_library(vibenet_warnings INTERFACE)

set(warnings
    -Wall -Wextra -Wpedantic
    -Wcast-align -Wcast-qual -Wdouble-promotion -Wduplicated-branches -Wduplicated-cond
    -Wfloat-conversion -Wformat=2 -Wimplicit-fallthrough -Wlogical-op -Wmissing-declarations
    -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wshadow
    -Wsign-conversion -Wstrict-prototypes -Wswitch-enum -Wundef -Wunused-macros -Wvla
    -Wwrite-strings)

foreach(flag IN LISTS warnings)
  string(MAKE_C_IDENTIFIER "HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(vibenet_warnings INTERFACE ${flag})
  endif()
endforeach()

if(VN_WERROR)
  target_compile_options(vibenet_warnings INTERFACE -Werror)
endif()
