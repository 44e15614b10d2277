/* The command line of vibenode ctl: options anywhere, one command with its arguments. What can be
 * seen to be wrong without a node is refused here; addresses and numbers are left to the node,
 * which has to check them anyway, but for durations, which only people write. */
#include "vibenode/ctl_impl.h"

#include <stdlib.h>
#include <string.h>

const char ctl_args_help[] =
    "vibenode ctl - asks a running node, and tells it what to do\n"
    "\n"
    "  vibenode ctl [OPTIONS] COMMAND\n"
    "\n"
    "Asking\n"
    "  status                what the node is, its chain, its peers\n"
    "  peers [--all]         its links, one a line; --all: known addresses without one, too\n"
    "  bans                  who is banned, and for how long yet\n"
    "  health                whether all is well: exit status 0, or 1 and the reasons\n"
    "  metrics               everything that is counted, in Prometheus' text format\n"
    "\n"
    "Telling (needs the token)\n"
    "  connect ADDRESS       dial it now; without a port: 8765\n"
    "  disconnect ADDRESS    close the links with it; without a port: with any\n"
    "  ban ADDRESS [TIME]    ban it for 90s, 10m, 2h, 3d, 1w; without TIME: as configured\n"
    "  unban ADDRESS         lift its ban\n"
    "  tx FILE               give a transaction to the network: JSON with its fields, hex digits, "
    "or\n"
    "                        the bytes of the wire; - reads standard input\n"
    "  mine N                mine N blocks now, where the node allows it\n"
    "  shutdown              end the node politely\n"
    "\n"
    "Options\n"
    "  --data FOLDER         the node's data folder: where it answers if it was given no http\n"
    "  --http ADDRESS        where the node's HTTP is: 127.0.0.1:9765, [::1]:9765 or unix:/path\n"
    "                        [from the configuration, else 127.0.0.1:9765]\n"
    "  --token-file FILE     holds the token that commands need [from the configuration]\n"
    "  --config FILE         the node's configuration, for its keys http, http-token-file, data\n"
    "  --json                print what the node answers as it is, for programs\n"
    "  --max-time SECONDS    wait for that long at most [30]\n"
    "  --help                this\n"
    "\n"
    "Examples\n"
    "  vibenode ctl --data /var/lib/vibenode status\n"
    "  vibenode ctl --http unix:/run/vibenode/http peers --all\n"
    "  vibenode ctl --config vibenode.conf ban 192.0.2.7 2h\n"
    "  vibenode ctl --json peers | jq -r '.[] | select(.state == \"ready\") | .addr'\n"
    "  vibenode ctl tx payment.json\n"
    "    where payment.json is {\"sender\": \"64 hex digits\", \"recipient\": \"64 hex digits\",\n"
    "    \"value\": 5, \"gas_price\": 1, \"gas_limit\": 21000, \"nonce\": 0, \"data\": "
    "\"c0ffee\"}\n"
    "  vibenode ctl health || systemctl restart vibenode\n"
    "\n"
    "Exit status: 0 done, 1 the node refused or is not healthy, 2 wrong usage, 3 no node there.\n";

/* What a command takes after its name. */
enum takes { NOTHING, AN_ADDRESS, AN_ADDRESS_AND_TIME, A_FILE, A_NUMBER };

static const struct command {
    const char *name, *path;
    bool post;
    enum takes takes;
    enum ctl_show show;
} commands[] = {
    {"status", "/status", false, NOTHING, CTL_SHOW_STATUS},
    {"peers", "/peers", false, NOTHING, CTL_SHOW_PEERS},
    {"bans", "/bans?limit=5000", false, NOTHING, CTL_SHOW_BANS},
    {"health", "/health", false, NOTHING, CTL_SHOW_HEALTH},
    {"metrics", "/metrics", false, NOTHING, CTL_SHOW_RAW},
    {"connect", "/connect", true, AN_ADDRESS, CTL_SHOW_DONE},
    {"disconnect", "/disconnect", true, AN_ADDRESS, CTL_SHOW_DONE},
    {"ban", "/ban", true, AN_ADDRESS_AND_TIME, CTL_SHOW_DONE},
    {"unban", "/unban", true, AN_ADDRESS, CTL_SHOW_DONE},
    {"tx", "/transaction", true, A_FILE, CTL_SHOW_DONE},
    {"mine", "/mine", true, A_NUMBER, CTL_SHOW_DONE},
    {"shutdown", "/shutdown", true, NOTHING, CTL_SHOW_DONE},
};

#define WORDS_MAX 4u

bool ctl_args_duration(const char *text, double *out_s)
{
    static const struct {
        const char *name;
        double s;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double n = digits ? strtod(text, &end) : 0;
    if (!digits || end != text + digits)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text + digits, units[i].name) == 0) {
            *out_s = n * units[i].s;
            return true;
        }
    return false;
}

/* ---- options -------------------------------------------------------------------------------- */

static bool read_max_time(struct ctl_args *args, const char *text, char *why, size_t size)
{
    if (ctl_args_duration(text, &args->max_time_s) && args->max_time_s >= 0.1 &&
        args->max_time_s <= 86400)
        return true;
    snprintf(why, size, "--max-time: '%s' is not a time in seconds, from 0.1 to 86400", text);
    return false;
}

static bool *switch_of(struct ctl_args *args, const char *name, size_t len)
{
    static const char *const names[] = {"--json", "--all", "--help", "-h"};
    bool *const flags[] = {&args->json, &args->all, &args->help, &args->help};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncmp(name, names[i], len) == 0)
            return flags[i];
    return NULL;
}

/* Reads the option at *i, and its value, which may be the next word. */
static bool read_option(struct ctl_args *args, int argc, char **argv, int *i, char *why,
                        size_t size)
{
    const char *name = argv[*i], *value = strchr(name, '=');
    size_t len = value ? (size_t)(value - name) : strlen(name);
    bool *flag = switch_of(args, name, len);
    if (flag) {
        *flag = true;
        if (value)
            snprintf(why, size, "%.*s takes no value", (int)len, name);
        return !value;
    }
    static const char *const names[] = {"--http", "--token-file", "--config", "--data",
                                        "--max-time"};
    const char **const texts[] = {&args->http, &args->token_file, &args->config, &args->data, NULL};
    const size_t count = sizeof names / sizeof *names;
    size_t n = 0;
    while (n < count && (strlen(names[n]) != len || strncmp(name, names[n], len) != 0))
        n++;
    if (n == count) {
        snprintf(why, size, "there is no option %.*s: see vibenode ctl --help", (int)len, name);
        return false;
    }
    value = value ? value + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value || !*value) {
        snprintf(why, size, "%s needs a value: see vibenode ctl --help", names[n]);
        return false;
    }
    if (!texts[n])
        return read_max_time(args, value, why, size);
    *texts[n] = value;
    return true;
}

/* ---- commands ------------------------------------------------------------------------------- */

static bool usage(const struct command *command, char *why, size_t size)
{
    static const char *const takes[] = {
        [NOTHING] = "takes no argument",
        [AN_ADDRESS] = "takes one address, like 192.0.2.7:8765",
        [AN_ADDRESS_AND_TIME] = "takes an address and, if you like, a time: ban 192.0.2.7 2h",
        [A_FILE] = "takes one file, or - for standard input",
        [A_NUMBER] = "takes a number of blocks, like 1",
    };
    snprintf(why, size, "%s %s", command->name, takes[command->takes]);
    return false;
}

static bool read_time(struct ctl_args *args, const char *text, char *why, size_t size)
{
    double s;
    if (!ctl_args_duration(text, &s)) {
        snprintf(why, size, "ban: '%s' is no time: write 90s, 10m, 2h, 3d or 1w", text);
        return false;
    }
    /* Without stdio's locale: thousandths as whole numbers. */
    if (s > 1e12)
        s = 1e12;
    uint64_t ms = (uint64_t)(s * 1000 + 0.5);
    ops_json_ns(&args->body, "seconds", ms, 1000);
    return true;
}

static bool read_count(struct ctl_args *args, const char *text, char *why, size_t size)
{
    size_t len = strlen(text);
    if (len == 0 || len > 9 || strspn(text, "0123456789") != len) {
        snprintf(why, size, "mine: '%s' is no number of blocks", text);
        return false;
    }
    ops_json_u64(&args->body, "blocks", strtoull(text, NULL, 10));
    return true;
}

static bool read_command(struct ctl_args *args, const struct command *command, char **words,
                         size_t count, char *why, size_t size)
{
    size_t most = command->takes == NOTHING ? 0 : command->takes == AN_ADDRESS_AND_TIME ? 2 : 1;
    size_t least = most ? 1 : 0;
    if (count < least || count > most)
        return usage(command, why, size);
    args->path = args->all ? "/peers?limit=5000" : command->path;
    args->post = command->post;
    args->show = command->show;
    _Static_assert(OPS_PEERS_MAX == 5000, "--all and bans ask for as many as there may be");
    snprintf(args->what, sizeof args->what, "%s%s%s", command->name, count ? " " : "",
             count ? words[0] : "");
    if (args->all && args->show != CTL_SHOW_PEERS) {
        snprintf(why, size, "--all goes with peers");
        return false;
    }
    if (command->takes == A_FILE) {
        args->file = words[0];
        return true;
    }
    bool ok = true;
    ops_json_open(&args->body, NULL, '{');
    if (command->takes == AN_ADDRESS || command->takes == AN_ADDRESS_AND_TIME)
        ops_json_string(&args->body, "addr", words[0]);
    if (command->takes == A_NUMBER)
        ok = read_count(args, words[0], why, size);
    if (count == 2)
        ok = read_time(args, words[1], why, size);
    ops_json_close(&args->body, '}');
    return ok;
}

static bool find_command(struct ctl_args *args, char **words, size_t count, char *why, size_t size)
{
    for (size_t i = 0; count && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(words[0], commands[i].name) == 0)
            return read_command(args, &commands[i], words + 1, count - 1, why, size);
    int n = count ? snprintf(why, size, "there is no command '%s': there is", words[0])
                  : snprintf(why, size, "say what to do:");
    for (size_t i = 0; i < sizeof commands / sizeof *commands && n > 0 && (size_t)n < size; i++)
        n += snprintf(why + n, size - (size_t)n, " %s", commands[i].name);
    return false;
}

bool ctl_args_read(struct ctl_args *args, int argc, char **argv, char *why, size_t size)
{
    char *words[WORDS_MAX];
    size_t count = 0;
    bool options = true;
    *args = (struct ctl_args){.max_time_s = 30};
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (!read_option(args, argc, argv, &i, why, size))
                return false;
        } else if (count == WORDS_MAX) {
            snprintf(why, size, "'%s' is one word too many: see vibenode ctl --help", argv[i]);
            return false;
        } else {
            words[count++] = argv[i];
        }
    }
    return args->help || find_command(args, words, count, why, size);
}

void ctl_args_free(struct ctl_args *args)
{
    ops_text_free(&args->body);
}
