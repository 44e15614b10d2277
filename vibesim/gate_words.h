/* Words that the gate's tables and files have in common, and how each kind of file takes text that
 * may be anything. */
#ifndef VIBESIM_GATE_WORDS_H
#define VIBESIM_GATE_WORDS_H

#include "vibesim/gate.h"

#include <stdio.h>

#define GATE_WORDS_SIZE 200u

/* "+6.1 %"; "0 -> 3" has no share and is "from 0". */
void gate_share_words(char out[GATE_WORDS_SIZE], double share);

/* "0.3412 -> 0.362, +6.1 % [+4.0, +8.3], p=0.0003"; arrow: how it is written. p is corrected. */
void gate_metric_words(char out[GATE_WORDS_SIZE], const struct gate_metric *m, const char *arrow);

/* "20 runs, 1 broken, 2 metrics worse": a case in a line. */
void gate_case_words(char out[GATE_WORDS_SIZE], const struct gate_case *c);

/* The whole gate in a line, without its verdict: "240 runs of 12 scenarios: 1 broken, ...". */
void gate_total_words(char *out, size_t size, const struct gate *gate);

/* The commands that repeat the run of a pair and, if it is in the record, shrink it; malloc'ed.
 * NULL: it is not. */
char *gate_again_words(const struct gate_case *c, const struct gate_pair *pair);
char *gate_shrink_words(const struct gate *gate, const struct gate_pair *pair);

/* The line of the scenario that a reason begins with ("FILE:LINE: "), or 0. */
unsigned gate_line_of(const struct gate_case *c, const char *reason);

/* Whether the run is broken: made, and neither held nor skipped. */
bool gate_is_broken(const struct gate_run *run);

/* As UTF-8, with U+FFFD for what is none; malloc'ed. */
char *gate_utf8(const char *text);
/* Text and attributes of XML 1.0; what it cannot hold at all becomes U+FFFD. */
void gate_put_xml(FILE *f, const char *text);
/* Markdown on one line, in a table's cell too. */
void gate_put_markdown(FILE *f, const char *text);
/* The message of a workflow command of GitHub, or (property) what stands before it
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are
 * those of actions/toolkit, packages/core/src/command.ts). */
void gate_put_github(FILE *f, const char *text, bool property);
/* The description of a test point of TAP 14. */
void gate_put_tap(FILE *f, const char *text);

#endif
