# cmake -D OUT=file.c -P embed.cmake: the files of this folder as one page, as the C array page_template.
# The page itself, for those who work on these files: -D HTML=file.html
get_filename_component(here ${CMAKE_CURRENT_LIST_FILE} DIRECTORY)
file(READ ${here}/index.html page)
file(READ ${here}/report.css css)
string(REPLACE "@@CSS@@" "${css}" page "${page}")
set(scripts "")
# In the order in which they build on each other.
foreach(name base scale chart summary curves compare timeline layout graph network flow nodes run main)
  file(READ ${here}/${name}.js script)
  string(APPEND scripts "${script}\n")
endforeach()
string(REPLACE "@@SCRIPTS@@" "${scripts}" page "${page}")
if(HTML)
  file(WRITE ${HTML} "${page}")
  return()
endif()
file(WRITE ${OUT}.html "${page}")
file(READ ${OUT}.html hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "/* Made by vibesim/report/embed.cmake. */\n#include \"vibesim/page_write.h\"\n\n"
  "const unsigned char page_template[] = {${bytes}};\n"
  "const size_t page_template_len = sizeof page_template;\n")
