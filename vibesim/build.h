/* Which program this is: what a record must name so that two of them are never taken for one. */
#ifndef VIBESIM_BUILD_H
#define VIBESIM_BUILD_H

/* "0.1.0 GNU-12.2.0 Release 6f1c0a9b27de": version, compiler, kind, and the first 12 digits of the
 * hash that the linker took of all code and data (the note NT_GNU_BUILD_ID). Two builds of changed
 * sources differ in it, two of equal ones by the same tools on one path do not. "unidentified" in
 * its place if the linker left none. */
const char *build_name(void);

#endif
