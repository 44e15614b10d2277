/* See shrink_write.h. */
#include "vibesim/shrink_write.h"

#include "scenarios/engine.h"
#include "vibesim/cli_term.h"
#include "vibesim/new_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where what was pinned ends and the scenario itself begins, should the file be shrunk again. */
#define MARK "-- ---- the scenario itself ----\n"

/* A Lua string of the text's bytes. */
static void write_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if (*c < 32 || *c == 127)
            fprintf(f, "\\%03u", *c);
        else
            fputc(*c, f);
    fputc('"', f);
}

/* One comment line, whatever is in the text. */
static void write_comment(FILE *f, const char *lead, const char *text)
{
    char clean[700];
    term_clean(clean, sizeof clean, text);
    fprintf(f, "-- %s%s\n", lead, clean);
}

struct telling {
    FILE *f;
    const struct shrink *s;
    uint32_t told;
};

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    struct telling *t = ctx;
    char line[700];
    if (!taken)
        return;
    snprintf(line, sizeof line, "%5" PRIu32 "  t=%.3f s  %s %.600s", no, (double)t_ns / 1e9, kind,
             params);
    write_comment(t->f, "", line);
    t->told++;
}

static void write_head(FILE *f, const struct shrink *s, const struct args_run *args,
                       const char *source)
{
    const struct shrink_failure *last = &s->last;
    struct shrink_failure again;
    struct telling t = {f, s, 0};
    char line[700];
    snprintf(line, sizeof line, "The smallest run found that fails as %s did: %s, seed %" PRIu64,
             source, engine_about(s->rerun->loaded.engine)->name, args->seed);
    write_comment(f, "", line);
    snprintf(line, sizeof line, "%s \"%s\" at t=%.3f s", last->kind, last->name,
             (double)last->t_ns / 1e9);
    write_comment(f, "It fails: ", line);
    for (size_t i = 0; i < args->cores.count; i++) {
        snprintf(line, sizeof line, "--core %s=FILE, the build %.200s (SHA-256 %s)",
                 args->cores.all[i].name, args->cores.all[i].api->build,
                 args->cores.more[i].sha256);
        write_comment(f, "It needs: ", line);
    }
    if (last->detail[0])
        write_comment(f, "          ", last->detail);
    snprintf(line, sizeof line,
             "%zu of %" PRIu32 " decisions, %" PRIu32 " nodes, %" PRIu32
             " scripted peers. What is carried out:",
             s->kept.count, s->first.decisions, last->nodes, last->peers);
    write_comment(f, "", line);
    if (strcmp(last->kind, "death") != 0) /* it would end this process, too */
        shrink_try(s->rerun->loaded.engine, args, s->interrupt, on_decision, &t, &again);
    else
        write_comment(f, "", "(the process dies: run it to see)");
}

/* Whether Lua reads the text as the same number, or as true or false. */
static bool is_plain(const char *text)
{
    const char *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return true;
    if (n > 0 && digits[n] == '.')
        n += 1 + strspn(digits + n + 1, "0123456789");
    return n > 0 && n < 18 && !digits[n] && digits[n - 1] != '.';
}

static void write_param(FILE *f, const struct engine_param *p)
{
    fprintf(f, "    [");
    write_string(f, p->key);
    fprintf(f, "] = ");
    if (is_plain(p->value))
        fputs(p->value, f);
    else
        write_string(f, p->value);
    fprintf(f, ",\n");
}

static void write_pinned(FILE *f, const struct args_run *args)
{
    fprintf(f, "pinned {\n  seed = \"%" PRIu64 "\",\n", args->seed);
    if (args->swarm)
        fprintf(f, "  swarm = true,\n");
    if (args->audit)
        fprintf(f, "  audit = true,\n");
    if (args->has_only) {
        fprintf(f, "  only = {");
        for (size_t i = 0; i < args->only_count; i++)
            fprintf(f, "%s%" PRIu32, i ? ", " : " ", args->only[i]);
        fprintf(f, " },\n");
    }
    if (args->until_ns)
        fprintf(f, "  stop_at = %" PRIu64 ".%09" PRIu64 ",\n", args->until_ns / 1000000000,
                args->until_ns % 1000000000);
    fprintf(f, "  params = {\n");
    for (size_t i = 0; i < args->param_count; i++)
        write_param(f, &args->params[i]);
    fprintf(f, "  },\n}\n\n");
}

static void write_module(void *ctx, const char *name, const char *text)
{
    FILE *f = ctx;
    fprintf(f, "module(");
    write_string(f, name);
    fprintf(f, ", function(...)\n%s\nend)\n\n", text);
}

static bool write_all(FILE *f, const struct shrink *s, const char *source)
{
    const struct engine *engine = s->rerun->loaded.engine;
    const char *text = engine_text(engine);
    const char *mark = engine_pinned(engine)->there ? strstr(text, MARK) : NULL;
    struct args_run args;
    shrink_args(s, &args);
    write_head(f, s, &args, source);
    write_pinned(f, &args);
    if (mark) { /* with the modules that were put before it */
        const char *first = strstr(text, "module(");
        if (first && first < mark)
            fwrite(first, 1, (size_t)(mark - first), f);
    }
    engine_modules(engine, write_module, f);
    fputs(MARK, f);
    fputs(mark ? mark + strlen(MARK) : text, f);
    shrink_args_free(&args);
    return !ferror(f);
}

bool shrink_write(const struct shrink *s, const char *path, bool replace, const char *source,
                  char *why, size_t size)
{
    struct new_file file;
    if (!replace && access(path, F_OK) == 0) {
        snprintf(why, size, "%s: is there already: name another file (-o) or say --force", path);
        return false;
    }
    bool ok = new_file_begin(&file, path) && write_all(file.f, s, source);
    return new_file_end(&file, ok, NULL, "use another file (-o)", why, size);
}
