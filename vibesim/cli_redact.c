/* `vibesim redact`: makes a copy of a capture with made-up addresses and ids (trace/redact.h), and
 * tells what was changed, and whether the node in it does what it did. */
#include "vibesim/cli_redact.h"

#include "trace/redact.h"
#include "vibesim/cli.h"
#include "vibesim/cli_term.h"
#include "vibesim/progress.h"

#include <signal.h>
#include <string.h>

#define PROGRESS_EVERY 1024u

const char redact_help[] =
    "Usage: vibesim redact FILE OUT [--keep-id]\n"
    "\n"
    "Makes a copy of a capture that can be shared, say with a report of a fault. In it\n"
    "\n"
    "  - each IP address is a made-up one of the same family, always the same: 10.0.0.0 and on,\n"
    "    fd00::/8. 127.0.0.0/8, ::1 and addresses that are nobody's stay. So do ports;\n"
    "  - each node id is a made-up one of the same length;\n"
    "  - what peers sent that is no message is blank.\n"
    "\n"
    "  --keep-id          leaves the node's own id as it is. The id of a node that mines is in\n"
    "                     its blocks: with another one it makes other blocks than those that its\n"
    "                     peers speak of\n"
    "\n"
    "What stays in: blocks and transactions with all that is in them (a hash of the id of who\n"
    "mined a block is), times, versions, the node's configuration, and its seed. The replay\n"
    "needs the seed to throw the same dice. A node draws a new one at each start, so that of one\n"
    "that has ended tells nothing of the next; the capture of a node that is still running is\n"
    "refused.\n"
    "\n"
    "The copy has hashes of its own and replays to them. Whether the node in it still does what\n"
    "it did, action by action, is told. It is made by living the capture, so it takes the build\n"
    "that made it, or one that lives alike.\n"
    "\n"
    "Exit status: 0 the copy is made, 2 bad usage, or it cannot be.\n"
    "\n"
    "Examples:\n"
    "  vibesim redact node.vncap shared.vncap && vibesim replay shared.vncap\n";

static void on_progress(void *ctx, const struct replay_progress *now)
{
    if (now->events % PROGRESS_EVERY == 0)
        progress_update_replay(ctx,
                               &(struct progress_replay){now->bytes, now->bytes_all, now->events});
}

static void print_result(const struct args_redact *args, const struct redact_result *r)
{
    char file[300], n[5][32];
    const uint64_t counts[5] = {r->events, r->addrs, r->ids, r->blanked, r->actions};
    term_clean(file, sizeof file, args->out);
    for (int i = 0; i < 5; i++)
        term_number(n[i], counts[i]);
    printf("copy      %s, %s events\n", file, n[0]);
    printf("renamed   %s IP addresses, %s ids of peers%s\n", n[1], n[2],
           args->keep_id ? "" : " and the node's own");
    printf("blanked   %s payloads or rests of streams that were no message\n", n[3]);
    if (r->short_ids)
        printf("note      %llu ids are so short that two of them may have the same name now\n",
               (unsigned long long)r->short_ids);
    if (r->torn)
        printf(
            "note      the capture ends early, and so does the copy; vibesim replay tells why\n");
    if (r->hashes == 0)
        printf(
            "note      the capture has no hash yet: whether this build lives it as it was captured "
            "is not known\n");
    if (r->other_chain)
        printf(
            "note      the node's chain is another one in the copy: it mined, and its id is in its "
            "blocks%s\n",
            args->keep_id ? "" : "; --keep-id would keep both");
    if (r->differs) {
        term_number(n[0], r->differs_at);
        printf("note      after event %s the node in the copy does something else: %s. The copy "
               "replays to its own hashes, but need not show what the original shows\n",
               n[0], r->difference);
    } else {
        printf("actions   %s compared by kind, link and size: all alike\n", n[4]);
    }
    printf("stays in  the seed of the ended node, times, ports, versions, blocks and "
           "transactions\n");
}

int cli_redact(const struct args_redact *args)
{
    char why[700];
    struct redact_result result;
    struct progress progress;
    signal(SIGXFSZ, SIG_IGN);
    progress_init(&progress, stderr, "");
    const bool good = redact_file(args->file, args->out, args->keep_id, &result, on_progress,
                                  &progress, why, sizeof why);
    progress_clear(&progress);
    if (!good) {
        const bool named = strncmp(why, args->file, strlen(args->file)) == 0 ||
                           strncmp(why, args->out, strlen(args->out)) == 0;
        term_error("%s%s%s", named ? "" : args->file, named ? "" : ": ", why);
        return CLI_BAD;
    }
    print_result(args, &result);
    return term_stdout_ok() ? CLI_OK : CLI_BAD;
}
