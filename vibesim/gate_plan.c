/* Plans the gate; see gate_plan.h.
 *
 * Happy path: file by file, the cases of the baseline that have the scenario's name, text and
 * parameters are taken over into the plan; what is left of the baseline at the end is gone or was
 * not asked for. All that cannot be compared is told before anything is run. */
#include "vibesim/gate_plan.h"

#include "vibesim/cli_list.h"
#include "vibesim/cli_run.h"
#include "vibesim/cli_term.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file that may be a scenario. */
struct candidate {
    char *path;
    bool of_folder; /* found in a folder: it need not be one */
    struct loaded *loaded;
};

struct plan {
    struct gate *gate;
    const struct args_check *args;
    struct candidate *files;
    size_t file_count;
    bool folder;             /* some folder was asked for: all of its scenarios */
    struct gate_case *cases; /* the new ones */
    size_t case_count;
};

static void *grown(void *array, size_t count, size_t size)
{
    void *p = realloc(array, count * size);
    if (!p)
        abort();
    return p;
}

/* ---- files ---- */

static void add_file(struct plan *p, const char *path, bool of_folder)
{
    p->files = grown(p->files, p->file_count + 1, sizeof *p->files);
    p->files[p->file_count++] = (struct candidate){gate_copy(path), of_folder, NULL};
}

static bool add_folder(struct plan *p, const char *folder)
{
    char **files;
    size_t count;
    if (!list_files("check", folder, &files, &count))
        return false;
    p->folder = true;
    for (size_t i = 0; i < count; i++) {
        add_file(p, files[i], true);
        free(files[i]);
    }
    free(files);
    if (count == 0)
        term_error("check: %s: no scenarios (*.lua) here", folder ? folder : "scenarios");
    return count > 0;
}

static bool find_files(struct plan *p)
{
    const struct args_run *run = &p->args->run;
    struct stat st;
    bool ok = run->file_count > 0 || add_folder(p, NULL);
    for (size_t i = 0; ok && i < run->file_count; i++) {
        if (stat(run->files[i], &st) == 0 && S_ISDIR(st.st_mode))
            ok = add_folder(p, run->files[i]);
        else
            add_file(p, run->files[i], false);
    }
    return ok;
}

/* A module that scenarios share lies in their folder, too; a broken scenario must not pass for one.
 */
static bool is_module(const char *path)
{
    char why[1024] = "";
    struct engine *engine = engine_load(path, why, sizeof why);
    engine_free(engine);
    return !engine && strstr(why, ": there is no scenario {");
}

static bool load_files(struct plan *p)
{
    for (size_t i = 0; i < p->file_count; i++) {
        struct candidate *f = &p->files[i];
        if (f->of_folder && is_module(f->path))
            continue;
        f->loaded = grown(NULL, 1, sizeof *f->loaded);
        *f->loaded = (struct loaded){0};
        if (!run_load(f->loaded, &p->args->run, f->path))
            return false;
        for (size_t k = 0; k < i; k++) {
            const char *name = engine_about(f->loaded->engine)->name;
            if (p->files[k].loaded &&
                strcmp(engine_about(p->files[k].loaded->engine)->name, name) == 0) {
                term_error("check: %s and %s are both named %s: the baseline could not tell them "
                           "apart",
                           p->files[k].path, f->path, name);
                return false;
            }
        }
    }
    return true;
}

/* ---- cases ---- */

static void take_case(struct plan *p, struct gate_case *c)
{
    p->cases = grown(p->cases, p->case_count + 1, sizeof *p->cases);
    p->cases[p->case_count++] = *c;
    *c = (struct gate_case){0};
}

/* Whether the case has the parameters that were given; those that were not may be as they like. */
static bool params_match(const struct plan *p, const struct gate_case *c, const char *wanted)
{
    json_t *have = json_loads(c->params, JSON_REJECT_DUPLICATES, NULL);
    json_t *want = json_loads(wanted, JSON_REJECT_DUPLICATES, NULL);
    bool match = true;
    for (size_t i = 0; i < p->args->run.param_count; i++) {
        const char *key = p->args->run.params[i].key;
        match = match && json_equal(json_object_get(have, key), json_object_get(want, key));
    }
    json_decref(have);
    json_decref(want);
    return match;
}

static bool lacks_seed(const struct plan *p, const struct gate_case *c, uint64_t seed)
{
    term_error("%s: has no run of %s with the seed %llu: leave out --seeds to use those that it "
               "has, or record it anew with --update-baseline",
               p->gate->baseline, c->name, (unsigned long long)seed);
    return false;
}

/* The seeds that were asked for. */
static bool choose_seeds(struct plan *p, struct gate_case *c)
{
    const struct seeds *seeds = &p->args->run.seeds;
    if (!seeds->count)
        return true;
    bool *kept = calloc(c->pair_count + 1, sizeof *kept);
    bool ok = true;
    if (!kept)
        abort();
    for (uint64_t i = 0; ok && i < seeds->count; i++) {
        struct gate_pair *pair = gate_find_pair(c, seeds_at(seeds, i));
        if (pair)
            kept[pair - c->pairs] = true;
        else if (!p->args->update)
            ok = lacks_seed(p, c, seeds_at(seeds, i));
    }
    if (ok)
        gate_keep_pairs(c, kept);
    free(kept);
    for (uint64_t i = 0; ok && i < seeds->count; i++)
        gate_add_pair(c, seeds_at(seeds, i));
    return ok;
}

/* Loads the scenario of a case as its runs in the baseline had it. */
static bool prepare_case(struct plan *p, struct gate_case *c, const char *path)
{
    char why[1024];
    const struct read_run run = {
        .id = c->pairs[0].before.id,
        .scenario = c->name,
        .sha256 = c->sha256,
        .params = c->params,
        .world = args_world_name(ENGINE_SIM),
        .file = c->file_before,
        .options = c->options,
        .seed = c->pairs[0].seed,
    };
    if (!rerun_load(&c->again, &run, path, why, sizeof why)) {
        term_error("%s: %s", p->gate->baseline, why);
        return false;
    }
    c->file = gate_copy(path);
    c->again.args.salt = p->args->run.salt;
    return choose_seeds(p, c);
}

/* A scenario that the baseline does not have. seeds_of: a case whose seeds it gets, or NULL. */
static void add_new(struct plan *p, struct candidate *f, const struct gate_case *seeds_of)
{
    struct seeds usual = {0};
    char why[100];
    const struct seeds *seeds = &p->args->run.seeds;
    const struct engine_pinned *pinned = engine_pinned(f->loaded->engine);
    struct gate_case c = {.name = gate_copy(engine_about(f->loaded->engine)->name),
                          .params = gate_copy(f->loaded->params),
                          .options = gate_copy("{}"),
                          .file = gate_copy(f->path)};
    if (!seeds->count && !seeds_of && pinned->has_seed) {
        gate_add_pair(&c, pinned->seed);
    } else if (!seeds->count && !seeds_of) {
        if (!seeds_parse(&usual, GATE_SEEDS, why, sizeof why))
            abort();
        seeds = &usual;
    }
    for (uint64_t i = 0; i < seeds->count; i++)
        gate_add_pair(&c, seeds_at(seeds, i));
    for (size_t i = 0; !seeds->count && seeds_of && i < seeds_of->pair_count; i++)
        gate_add_pair(&c, seeds_of->pairs[i].seed);
    seeds_free(&usual);
    rerun_begin(&c.again, &p->args->run, f->path, f->loaded);
    c.again.args.salt = p->args->run.salt;
    take_case(p, &c);
}

static bool other_text(const struct plan *p, const struct gate_case *c, const struct candidate *f)
{
    term_error("%s: has changed since the baseline (the SHA-256 of its text was %.12s and is "
               "%.12s), so that its figures cannot be compared: record a new baseline "
               "(--update-baseline) or check out the text that %s is of",
               f->path, c->sha256, engine_sha256(f->loaded->engine), p->gate->baseline);
    return false;
}

static bool other_params(const struct plan *p, const struct gate_case *c, const struct candidate *f)
{
    term_error("%s: has %s with the parameters %.200s and not with %.200s: leave out --param, or "
               "record a new baseline (--update-baseline)",
               p->gate->baseline, c->name, c->params, f->loaded->params);
    return false;
}

/* All cases of the baseline that are of that file; it may turn out to be new. */
static bool plan_file(struct plan *p, struct candidate *f)
{
    const char *name = engine_about(f->loaded->engine)->name;
    const char *sha256 = engine_sha256(f->loaded->engine);
    struct gate_case *changed = NULL, *other = NULL;
    size_t before = p->case_count;
    for (size_t i = 0; i < p->gate->case_count; i++) {
        struct gate_case *c = &p->gate->cases[i];
        if (!c->name || strcmp(c->name, name) != 0)
            continue;
        bool same = strcmp(c->sha256, sha256) == 0, match = params_match(p, c, f->loaded->params);
        if (same && match) {
            if (!prepare_case(p, c, f->path))
                return false;
            take_case(p, c);
        } else {
            changed = same ? changed : c;
            other = match ? other : c;
        }
    }
    if (!p->args->update && changed)
        return other_text(p, changed, f);
    if (p->case_count > before)
        return true;
    if (!p->args->update && other)
        return other_params(p, other, f);
    add_new(p, f, changed ? changed : other);
    return true;
}

/* ---- what is left ---- */

/* Cases whose scenario is among the files were left out by --param; the others are gone. */
static bool is_planned(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->case_count; i++)
        if (p->cases[i].file && strcmp(p->cases[i].name, name) == 0)
            return true;
    return false;
}

/* In a new baseline that is made of a part of the gate the rest would be lost. */
static bool would_be_lost(const struct plan *p, const struct gate_case *c)
{
    term_error(
        "%s: --update-baseline would lose what it has of %s%s: leave out %s, or name another "
        "--baseline",
        p->gate->baseline, c->name, is_planned(p, c->name) ? " with other parameters" : "",
        is_planned(p, c->name) ? "--param" : "the files");
    return false;
}

static bool plan_rest(struct plan *p)
{
    size_t planned = p->case_count;
    for (size_t i = 0; i < p->gate->case_count; i++) {
        struct gate_case *c = &p->gate->cases[i];
        if (!c->name)
            continue;
        bool there = false;
        for (size_t k = 0; k < planned; k++)
            there = there || strcmp(p->cases[k].name, c->name) == 0;
        bool replaced = there && p->args->run.param_count == 0; /* by its new text */
        if (p->args->update && !replaced && (there || !p->folder))
            return would_be_lost(p, c);
        if (!there && p->folder)
            take_case(p, c);
        else
            gate_case_free(c);
    }
    return true;
}

/* Parameters are told where they make a difference, and then all of them. */
static void label_cases(struct gate *gate)
{
    for (size_t i = 0; i < gate->case_count; i++) {
        struct gate_case *c = &gate->cases[i];
        bool alone = true;
        for (size_t k = 0; k < gate->case_count; k++)
            alone = alone && (k == i || strcmp(gate->cases[k].name, c->name) != 0);
        bool options = strcmp(c->options, "{}") != 0;
        size_t size = strlen(c->name) + strlen(c->params) + strlen(c->options) + 3;
        c->label = grown(NULL, size, 1);
        snprintf(c->label, size, "%s%s%s%s%s", c->name, alone ? "" : " ", alone ? "" : c->params,
                 !alone && options ? " " : "", !alone && options ? c->options : "");
    }
}

static bool plan_all(struct plan *p)
{
    if (!find_files(p) || !load_files(p))
        return false;
    for (size_t i = 0; i < p->file_count; i++)
        if (p->files[i].loaded && !plan_file(p, &p->files[i]))
            return false;
    if (!plan_rest(p))
        return false;
    for (size_t i = 0; i < p->case_count; i++)
        if (p->cases[i].file)
            return true;
    term_error("check: there is no scenario among the files");
    return false;
}

bool gate_plan(struct gate *gate, const struct args_check *args)
{
    struct plan p = {.gate = gate, .args = args};
    bool ok = plan_all(&p);
    for (size_t i = 0; i < p.file_count; i++) {
        if (p.files[i].loaded)
            engine_free(p.files[i].loaded->engine);
        free(p.files[i].loaded);
        free(p.files[i].path);
    }
    free(p.files);
    for (size_t i = 0; i < gate->case_count; i++)
        gate_case_free(&gate->cases[i]);
    free(gate->cases);
    gate->cases = p.cases;
    gate->case_count = p.case_count;
    if (ok)
        label_cases(gate);
    return ok;
}
