/* What a sweep tells, read from its record: a line a scenario, `sometimes` over all runs, the runs
 * that failed with the command that repeats each, and how many hold. The same whether one process
 * made all runs, several in turn, or shards of it were merged. */
#ifndef VIBESIM_CLI_SUMMARY_H
#define VIBESIM_CLI_SUMMARY_H

#include "store/reader.h"
#include "vibesim/plan.h"

#define SUMMARY_TOLD_MAX 20u /* failed runs that are told one by one */
#define SUMMARY_TOLD_OF  3u  /* of one scenario */

struct summary_options {
    bool json;    /* an object a line: of each scenario, and one with "total": true */
    bool quiet;   /* what failed, and the last line */
    bool metrics; /* how metrics are spread, of every scenario; of a single one in any case */
    bool stopped; /* an end before the end: INTERRUPTED rather than what is missing */
};

/* Of the record's one sweep. Returns the exit status that its runs have together; CLI_BAD, told, if
 * the record makes no sense. *done: how many runs there are. */
int summary_tell(const char *db, const struct summary_options *options, uint64_t *done);

/* Whether each run of the sweep is what its job in the plan says. False with a line in why. */
bool summary_check(struct reader *reader, const struct plan *plan, char *why, size_t size);

#endif
