/* The judged gate, told: to people, and to programs in the forms that they read. Files are open and
 * the caller's; whether all of it could be written is to be asked of them. */
#ifndef VIBESIM_GATE_TELL_H
#define VIBESIM_GATE_TELL_H

#include "vibesim/gate.h"

#include <stdio.h>

/* A table, then what is broken or worse with the commands that repeat it; quiet: only that and the
 * verdict. On stdout. */
void gate_text(const struct gate *gate, bool quiet);

/* One object with sorted keys. Integers that JSON readers may round (seeds) are text. */
void gate_json(FILE *f, const struct gate *gate);

/* JUnit XML: a suite for each case, a test for each run, each `sometimes` and each metric. (The
 * schema that readers agree on: github.com/testmoapp/junitxml.) */
void gate_junit(FILE *f, const struct gate *gate);

/* The Test Anything Protocol, version 14: a point for the runs of each case, for each `sometimes`
 * and for each metric. */
void gate_tap(FILE *f, const struct gate *gate);

/* A summary: one table of the cases, one of the metrics that changed, and what is broken. */
void gate_markdown(FILE *f, const struct gate *gate);

/* Annotations of GitHub Actions: an error for each broken run and each worse metric. */
void gate_github(FILE *f, const struct gate *gate);

#endif
