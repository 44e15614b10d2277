# What the public libraries have in common. Only VN_API leaves them: a shared library by visibility, an
# archive because one object is made of all of its own and the hidden symbols of that one are made
# local. So they never meet the user's own, nor those of the archive beside it.

# vn_public_archive(TARGET NAME OBJECTS...): libNAME.a of these object libraries.
function(vn_public_archive target name)
  set(objects "")
  foreach(library IN LISTS ARGN)
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  set(join ${CMAKE_LINKER} -r)
  if(CMAKE_INTERPROCEDURAL_OPTIMIZATION AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # Objects that wait for the link to become code: here they do.
    set(join ${CMAKE_C_COMPILER} -r -nostdlib -O2 -fPIC -flto -flinker-output=nolto-rel)
  endif()
  set(all ${CMAKE_CURRENT_BINARY_DIR}/${name}-all.o)
  add_custom_command(
    OUTPUT ${all}
    COMMAND ${join} -o ${all}.tmp ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${all}.tmp ${all}
    COMMAND ${CMAKE_COMMAND} -E rm ${all}.tmp
    DEPENDS ${ARGN} ${objects}
    COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties(${all} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  add_library(${target} STATIC ${all})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
endfunction()

# vn_public_header(FILE): installs FILE as <vibenet/FILE>. Here includes are written from the root
# ("core/node.h"), there as <vibenet/node.h>.
function(vn_public_header file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  string(REGEX REPLACE "#include \"[a-z-]+/([a-z_]+\\.h)\"" "#include <vibenet/\\1>" text "${text}")
  if(text MATCHES "#include \"")
    message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/${file} includes what is not installed: of our own "
                        "headers a public one may include only public ones")
  endif()
  set(installed ${PROJECT_BINARY_DIR}/include/vibenet/${file})
  file(CONFIGURE OUTPUT ${installed} CONTENT "${text}" @ONLY)
  install(FILES ${installed} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vibenet)
endfunction()

# vn_public_install(NAME TARGETS...): libraries, their CMake targets (NAMETargets.cmake), and
# NAME.pc, which finds its prefix from where it lies, so that an installed tree may be moved.
function(vn_public_install name)
  install(TARGETS ${ARGN} EXPORT ${name}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT ${name} FILE ${name}Targets.cmake NAMESPACE vibenet::
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vibenet)
  file(RELATIVE_PATH VN_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
  configure_file(${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
