/* vibenode ctl: one question to a running node. See ctl.h.
 *
 * Happy path: the command line says what to ask, the command line or the node's configuration
 * where; the answer goes to standard output. Whatever fails is one line on standard error, and a
 * status that scripts can tell apart. */
#include "vibenode/ctl_impl.h"
#include "vibenode/ops_token.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX                                                                             \
    (4u << 20) /* of a transaction, however it is written; the node has its own */

/* ---- speaking to people --------------------------------------------------------------------- */

static int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int complain(int status, const char *format, ...)
{
    char line[5000];
    struct ops_text text = {0};
    struct ctl_style style;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctl_style_init(&style, stderr);
    ops_text_add(&text, "vibenode ctl: ");
    ctl_clean(&text, &style, line, sizeof line);
    fprintf(stderr, "%s\n", text.data);
    ops_text_free(&text);
    return status;
}

static int print(const struct ops_text *text, int status)
{
    if (text->len)
        fwrite(text->data, 1, text->len, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return complain(CTL_REFUSED, "cannot write the answer: %s", strerror(errno));
}

/* ---- where, and with which token ------------------------------------------------------------ */

static int read_defaults(const struct ctl_args *args, const struct ctl_config *config,
                         struct ctl_defaults *defaults)
{
    char why[5000] = "";
    *defaults = (struct ctl_defaults){0};
    if (args->data)
        return ops_place_of_folder(args->data, defaults->http, defaults->token_file, why,
                                   sizeof why)
                   ? CTL_OK
                   : complain(CTL_USAGE, "--data: %s", why);
    if (!config || !config->read)
        return args->config ? complain(CTL_USAGE, "--config: this program reads no configuration")
                            : CTL_OK;
    bool needed = !args->http || (args->post && !args->token_file);
    if (!args->config && !needed)
        return CTL_OK;
    if (!config->read(args->config, defaults, why, sizeof why))
        return complain(CTL_USAGE, "%s", why);
    return CTL_OK;
}

static int find_node(const struct ctl_args *args, const struct ctl_config *config,
                     struct ops_place *place, char token[OPS_TOKEN_MAX + 1])
{
    static struct ctl_defaults defaults; /* large */
    char why[5000];
    int status = read_defaults(args, config, &defaults);
    if (status != CTL_OK)
        return status;
    const char *http = args->http ? args->http : *defaults.http ? defaults.http : "127.0.0.1:9765";
    if (!ops_place_parse(http, place, why, sizeof why))
        return complain(CTL_USAGE, "%s%s", args->http ? "--http: " : "http: ", why);
    if (!args->post)
        return CTL_OK;
    const char *file = args->token_file ? args->token_file : defaults.token_file;
    if (!*file)
        return complain(CTL_USAGE,
                        "this needs the node's token: name its file with --token-file, or the "
                        "node's configuration with --config");
    if (!ops_token_load(file, false, token, why, sizeof why))
        return complain(CTL_USAGE, "%s (run this as the node's user?)", why);
    return CTL_OK;
}

/* ---- transactions --------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int read_file(const char *name, struct ops_text *out)
{
    char bytes[65536];
    bool input = strcmp(name, "-") == 0;
    FILE *file = input ? stdin : fopen(name, "rbe");
    if (!file)
        return complain(CTL_USAGE, "%s: %s", name, strerror(errno));
    size_t n;
    while (out->len <= FILE_BYTES_MAX && (n = fread(bytes, 1, sizeof bytes, file)) > 0)
        ops_text_bytes(out, bytes, n);
    bool failed = ferror(file) != 0;
    int error = errno;
    if (!input)
        fclose(file);
    if (failed)
        return complain(CTL_USAGE, "%s: %s", name, strerror(error));
    if (out->len > FILE_BYTES_MAX)
        return complain(CTL_USAGE, "%s: no transaction has more than %u bytes", name,
                        FILE_BYTES_MAX);
    return CTL_OK;
}

/* If the text is hex digits and blanks alone, the bytes that they mean take its place. */
static bool unhex(struct ops_text *text)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t count = 0;
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] && strchr(digits, text->data[i]))
            count++;
        else if (!is_blank(text->data[i]))
            return false;
    if (count == 0 || count % 2)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (is_blank(text->data[i]))
            continue;
        size_t digit = (size_t)(strchr(digits, text->data[i]) - digits);
        digit = digit < 16 ? digit : digit - 6;
        unsigned char *byte = (unsigned char *)text->data + at / 2;
        *byte = (unsigned char)(at % 2 ? *byte | digit : digit << 4);
        at++;
    }
    text->len = at / 2;
    return true;
}

/* JSON as it is, hex as its bytes, anything else as it is. */
static int read_transaction(struct ctl_args *args, const char **content_type)
{
    int status = read_file(args->file, &args->body);
    if (status != CTL_OK)
        return status;
    size_t i = 0;
    while (i < args->body.len && is_blank(args->body.data[i]))
        i++;
    if (i == args->body.len)
        return complain(CTL_USAGE, "%s: is empty", args->file);
    if (args->body.data[i] != '{') {
        *content_type = "application/octet-stream";
        unhex(&args->body);
    }
    return CTL_OK;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The node said no, or what it says cannot be understood. */
static int refused(const struct ctl_args *args, const struct ctl_answer *answer, const json_t *json)
{
    const char *error = json_string_value(json_object_get(json, "error"));
    if (error)
        return complain(CTL_REFUSED, "%s: the node refused: %s", args->what, error);
    return complain(CTL_UNREACHABLE,
                    "what answers there is no vibenode (HTTP status %ld): check --http",
                    answer->code);
}

static void show(struct ops_text *text, const struct ctl_style *style, const struct ctl_args *args,
                 const struct ctl_answer *answer, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "tx_id"));
    switch (args->show) {
    case CTL_SHOW_STATUS:
        ctl_show_status(text, style, json);
        break;
    case CTL_SHOW_PEERS:
        ctl_show_peers(text, style, json, args->all);
        break;
    case CTL_SHOW_BANS:
        ctl_show_bans(text, style, json);
        break;
    case CTL_SHOW_HEALTH:
        ctl_show_health(text, style, json);
        break;
    case CTL_SHOW_RAW:
        ctl_clean_lines(text, answer->body.data ? answer->body.data : "");
        break;
    case CTL_SHOW_DONE:
        ctl_colour(text, style, CTL_GREEN);
        ops_text_add(text, "ok");
        ctl_colour(text, style, CTL_PLAIN);
        ops_text_add(text, ": ");
        ctl_clean(text, style, id ? id : args->what, 200);
        ops_text_add(text, "\n");
        break;
    }
}

/* Whether the answer is of the kind that was asked for. */
static bool fits(const struct ctl_args *args, const struct ctl_answer *answer, const json_t *json)
{
    bool ok = answer->code == 200;
    switch (args->show) {
    case CTL_SHOW_STATUS:
    case CTL_SHOW_DONE:
        return ok && json_is_object(json);
    case CTL_SHOW_HEALTH:
        return (ok || answer->code == 503) && json_is_string(json_object_get(json, "status")) &&
               !json_object_get(json, "error");
    case CTL_SHOW_PEERS:
    case CTL_SHOW_BANS:
        return ok && json_is_array(json);
    case CTL_SHOW_RAW:
        return ok && !answer->is_json;
    }
    return false;
}

static int tell(const struct ctl_args *args, const struct ctl_answer *answer)
{
    struct ops_text text = {0};
    struct ctl_style style;
    const char *body = answer->body.data ? answer->body.data : "";
    json_t *json = answer->is_json ? json_loadb(body, answer->body.len, 0, NULL) : NULL;
    int status = answer->code == 200 ? CTL_OK : CTL_REFUSED;
    ctl_style_init(&style, stdout);
    if (!fits(args, answer, json)) {
        if (args->json && json)
            ctl_clean_lines(&text, body);
        status = refused(args, answer, json);
    } else if (args->json && args->show != CTL_SHOW_RAW) {
        ctl_clean_lines(&text, body);
    } else {
        show(&text, &style, args, answer, json);
    }
    json_decref(json);
    status = print(&text, status);
    ops_text_free(&text);
    return status;
}

static int ask(struct ctl_args *args, const struct ctl_config *config)
{
    char token[OPS_TOKEN_MAX + 1] = "", why[600];
    struct ctl_question question = {.path = args->path,
                                    .post = args->post,
                                    .token = token,
                                    .content_type = "application/json",
                                    .max_time_s = args->max_time_s};
    struct ctl_answer answer;
    int status = find_node(args, config, &question.place, token);
    if (status == CTL_OK && args->file)
        status = read_transaction(args, &question.content_type);
    if (status != CTL_OK)
        return status;
    question.body = args->body.data ? args->body.data : "";
    question.len = args->body.len;
    if (!ctl_http_ask(&question, &answer, why, sizeof why))
        return complain(CTL_UNREACHABLE, "%s", why);
    status = tell(args, &answer);
    ops_text_free(&answer.body);
    return status;
}

int ctl_main(int argc, char **argv, const struct ctl_config *config)
{
    struct ctl_args args;
    char why[600] = "";
    int status;
    setlocale(LC_CTYPE, "");
    if (!ctl_args_read(&args, argc, argv, why, sizeof why)) {
        status = complain(CTL_USAGE, "%s", why);
    } else if (args.help) {
        struct ops_text help = {.data = (char *)(uintptr_t)ctl_args_help,
                                .len = strlen(ctl_args_help)};
        status = print(&help, CTL_OK);
    } else {
        status = ask(&args, config);
    }
    ctl_args_free(&args);
    return status;
}
