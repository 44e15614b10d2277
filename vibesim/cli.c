/* vibesim's commands: finds the one that is asked for; --help and --version. */
#include "vibesim/cli.h"

#include "vibesim/build.h"
#include "vibesim/cli_args.h"
#include "vibesim/cli_check.h"
#include "vibesim/cli_list.h"
#include "vibesim/cli_merge.h"
#include "vibesim/cli_page.h"
#include "vibesim/cli_redact.h"
#include "vibesim/cli_replay.h"
#include "vibesim/cli_run.h"
#include "vibesim/cli_shrink.h"
#include "vibesim/cli_sweep.h"
#include "vibesim/cli_term.h"
#include "vibesim/cli_words.h"

#include <stdio.h>
#include <string.h>

/* In two, since a string of C11 needs not be longer than 4,095 characters. */
static const char help_run_options[] =
    "Usage: vibesim run FILE.lua... [options]\n"
    "\n"
    "  --seed N           the seed of all dice, 0 to 18446744073709551615 [1]\n"
    "  --seeds LIST       a run for each seed of a list like 1..20 or 3,7,100..199; at most\n"
    "                     1000000. Prints a table, in the order of the seeds. A `sometimes` that\n"
    "                     no seed hits fails them all\n"
    "  --jobs N           how many runs at once, each in a process of its own, 1 to 256 [as many\n"
    "                     as there are processors]; changes no result\n"
    "  --param NAME=VALUE a parameter of the scenario; may be given several times\n"
    "  --until SECONDS    ends the run at that simulated time [the scenario's duration]\n"
    "  --without LIST     leaves out these decisions, like 2,5..7: faults by their numbers in the\n"
    "                     table decision of a record; all others keep theirs\n"
    "  --only LIST        leaves out all decisions but these; none: all of them\n"
    "  --swarm            each seed draws what happens from what the scenario allows in swarm = {\n"
    "                     }: parameters, kinds of faults, faults by time, target and strength.\n"
    "                     Then the network is healed and must show that it lives\n"
    "  --audit            recounts a node's books after whatever happens to it, and not only now\n"
    "                     and then: slow, but a fault of the core is found where it is made\n"
    "  --db FILE          where to record; a VibeNet file gets more runs [run.db]\n"
    "  --record LEVEL     none: no file; summary: nodes, checks, metrics, blocks and their\n"
    "                     arrivals, faults; messages: and every message received;\n"
    "                     events: and everything that nodes tell [summary]\n"
    "  --world WORLD      sim: simulated; tcp: real sockets on addresses of 127.0.0.0/8, in real\n"
    "                     time and each run a little different. What tcp cannot do skips the run\n"
    "                     (status 77) with its reason [sim]\n"
    "  --speed N          in the world tcp, seconds of the scenario in a real one, 1 to 1000; sim\n"
    "                     is always as fast as it can [1]\n"
    "  --core NAME=FILE   another build of the protocol core, a libvibenet.so, for nodes that the\n"
    "                     scenario puts on NAME; may be given several times. A scenario that\n"
    "                     needs one that is not given is skipped (status 77)\n"
    "  --salt N           other dice for nodes and network, not for the script [0]\n"
    "  --verify           runs twice, the second time strictly by time, and compares every\n"
    "                     event\n"
    "  --trace WHAT       a line for each thing that happens, as it does, to stderr: all,\n"
    "                     node=3 (as in node-0003; or node=peer-0001), link=2-7 (between these\n"
    "                     two), each with ,kinds=KIND,KIND... behind it. Of a single run; may be\n"
    "                     given several times. Kinds: peer-state msg-in msg-out block-new\n"
    "                     block-bad block-orphan mined tip tx-new tx-bad score ban unban\n"
    "                     disconnect violation sync step log check\n"
    "  --trace-file FILE  the trace goes there\n"
    "  --pcap FILE        a packet capture (pcapng) of all that arrives on links, for Wireshark\n"
    "                     with the dissector in share/vibenet/wireshark; headers of TCP are made\n"
    "                     up, times are the scenario's. Of a single run, in the world sim\n"
    "  --pcap-nodes LIST  only what these nodes send or receive, like 1..5,9\n"
    "  --perfetto FILE    a trace (JSON) for ui.perfetto.dev and chrome://tracing: links,\n"
    "                     messages, tips, bans, faults, heights. Of a single run\n"
    "  --rows WHICH       rows of the table: all, failed, or auto: all, but on a terminal no\n"
    "                     more than 40 [auto]\n"
    "  --json             the result as a JSON object on standard output; of several runs one\n"
    "                     object a line, and one with \"summary\": true for each file. Traces, "
    "too,\n"
    "                     are an object a line\n"
    "  --quiet            the verdict and what failed, nothing else\n";

static const char help_run_rest[] =
    "\n"
    "Equal scenario, parameters and seed give an equal run in the world sim, on any machine:\n"
    "compare the trace hashes. Colours can be turned off with NO_COLOR=1. A run whose process dies "
    "is a failed\n"
    "seed. The exit status of several runs is that of the worst.\n"
    "\n"
    "Examples:\n"
    "  vibesim run scenarios/partition-heal.lua --seed 7\n"
    "  vibesim run scenarios/partition-heal.lua --param nodes=100 --verify\n"
    "  vibesim run scenarios/partition-heal.lua --json --record none | jq .trace_hash\n"
    "  vibesim run scenarios/partition-heal.lua --world tcp --speed 5\n"
    "  vibesim run scenarios/tx-flood.lua --seeds 1..20 --db flood.db\n"
    "  vibesim run scenarios/crash-restart.lua --without 3..50\n"
    "  vibesim run scenarios/upgrade.lua --core old=../old/build/release/lib/libvibenet.so\n"
    "  vibesim run scenarios/swarm.lua --swarm --seeds 1..100 --record none\n"
    "  vibesim run scenarios/*.lua --seeds 1..5 --record none --rows failed\n"
    "  vibesim run scenarios/tx-flood.lua --seeds 1..20 --json | jq -c 'select(.summary)'\n"
    "  vibesim run scenarios/first-contact.lua --trace node=2,kinds=peer-state,tip\n"
    "  vibesim run scenarios/first-contact.lua --trace link=1-2 --trace-file link.txt\n"
    "  vibesim run scenarios/partition-heal.lua --pcap heal.pcapng --perfetto heal.json\n";

static const char help_list[] =
    "Usage: vibesim list [FOLDER] [--json]\n"
    "\n"
    "Shows the scenarios (*.lua) of a folder with what they are about. Without FOLDER: scenarios/ "
    "of\n"
    "the current folder, or the one that vibesim was built or installed with.\n";

static int show(const char *text)
{
    fputs(text, stdout);
    return term_stdout_ok() ? CLI_OK : CLI_BAD;
}

static int show_run_help(void)
{
    fputs(help_run_options, stdout);
    return show(help_run_rest);
}

static int command_run(int argc, char **argv)
{
    struct args_run args;
    int status = CLI_BAD;
    if (args_run_parse(&args, argc, argv))
        status = args.help ? show_run_help() : cli_run(&args);
    args_run_free(&args);
    return status;
}

static int command_check(int argc, char **argv)
{
    struct args_check args;
    int status = CLI_BAD;
    if (args_check_parse(&args, argc, argv))
        status = args.run.help ? show(check_help) : cli_check(&args);
    args_check_free(&args);
    return status;
}

static int command_list(int argc, char **argv)
{
    struct args_list args;
    if (!args_list_parse(&args, argc, argv))
        return CLI_BAD;
    return args.help ? show(help_list) : cli_list(&args);
}

static int command_sweep(int argc, char **argv)
{
    struct args_sweep args;
    int status = CLI_BAD;
    if (args_sweep_parse(&args, argc, argv))
        status = args.run.help ? show(sweep_help) : cli_sweep(&args);
    args_sweep_free(&args);
    return status;
}

static int command_merge(int argc, char **argv)
{
    struct args_merge args;
    int status = CLI_BAD;
    if (merge_args_parse(&args, argc, argv))
        status = args.help ? show(merge_help) : cli_merge(&args);
    merge_args_free(&args);
    return status;
}

static int command_replay(int argc, char **argv)
{
    struct args_replay args;
    if (!args_replay_parse(&args, argc, argv))
        return CLI_BAD;
    return args.help ? show(replay_help) : cli_replay(&args);
}

static int command_redact(int argc, char **argv)
{
    struct args_redact args;
    if (!args_redact_parse(&args, argc, argv))
        return CLI_BAD;
    return args.help ? show(redact_help) : cli_redact(&args);
}

/* What vibesim can do: a new command is a line here and a file of its own. */
static const struct command {
    const char *name, *rest, *what;
    int (*perform)(int argc, char **argv); /* gets what stands behind the name */
} commands[] = {
    {"run", "FILE.lua... [options]", "runs scenarios and judges their checks", command_run},
    {"sweep", "FILE... --seeds LIST", "makes many runs into a database, on many machines too",
     command_sweep},
    {"merge", "OUT.db IN.db...", "joins the shards of a sweep, or other databases", command_merge},
    {"check", "[FOLDER] --baseline FILE",
     "the gate: runs scenarios and compares with an earlier build", command_check},
    {"list", "[FOLDER] [--json]", "shows the scenarios of a folder (default: scenarios)",
     command_list},
    {"replay", "FILE [options]", "makes a run, or a node's captured life, again; looks into it",
     command_replay},
    {"shrink", "DB [--run ID] [options]", "makes a failed run as small as it gets", cli_shrink},
    {"report", "DB [-o FILE] [options]", "a page of a record, to be opened in a browser", cli_page},
    {"redact", "FILE OUT", "a copy of a capture to share, with made-up addresses", command_redact},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int command_help(void)
{
    printf("vibesim simulates networks of VibeNet nodes, deterministically, from scenarios in "
           "Lua.\n\nUsage:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", commands[i].name, commands[i].rest);
        printf("  vibesim %-30s  %s\n", usage, commands[i].what);
    }
    return show(
        "  vibesim --help | --version              vibesim COMMAND --help tells all options\n"
        "\n"
        "Examples:\n"
        "  vibesim list\n"
        "  vibesim run scenarios/partition-heal.lua\n"
        "  vibesim run scenarios/partition-heal.lua --seed 7 --db heal.db --record messages\n"
        "  vibesim run scenarios/*.lua --seeds 1..5 --record none\n"
        "  vibesim sweep scenarios/*.lua --seeds 1..1000 --db all.db\n"
        "  sqlite3 heal.db \"SELECT verdict, trace_hash FROM run ORDER BY id\"\n"
        "\n"
        "Exit status: 0 all checks hold, 1 a check failed, 2 bad usage or a bad file,\n"
        "3 the run was not deterministic (--verify), or a replay differs, 77 the world cannot do\n"
        "what the scenario asks for, or a build of the core that it needs is not given, 130\n"
        "interrupted.\n");
}

static int unknown_command(const char *command)
{
    const char *names[COMMANDS + 3] = {NULL};
    size_t len = strlen(command);
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    names[COMMANDS] = "--help";
    names[COMMANDS + 1] = "--version";
    if (len > 4 && strcmp(command + len - 4, ".lua") == 0)
        term_error("'%s' is no command: did you mean vibesim run %s?", command, command);
    else
        words_unknown("command", command, names);
    return CLI_BAD;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        term_error("say what to do: vibesim run FILE.lua, vibesim list, or vibesim --help");
        return CLI_BAD;
    }
    const char *command = argv[1];
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(command, commands[i].name) == 0)
            return commands[i].perform(argc - 2, argv + 2);
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 ||
        strcmp(command, "help") == 0)
        return command_help();
    if (strcmp(command, "--version") == 0) {
        printf("vibesim %s\n", build_name());
        return show("");
    }
    return unknown_command(command);
}
