/* The result of a run as one JSON object, keys sorted. Integers that JSON readers may round (the
 * seed, the trace hash) are text. */
#include "vibesim/build.h"
#include "vibesim/cli_report.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *text_of(const char *text)
{
    if (!text)
        return json_null();
    json_t *s = json_string(text);
    return s ? s : json_string("?"); /* a text that is not UTF-8 */
}

static json_t *checks_of(const struct report *r)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->check_count; i++) {
        const struct report_check *c = &r->checks[i];
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:b, s:I, s:o}", "name", text_of(c->name),
                                        "kind", text_of(c->kind), "ok", c->ok, "t_ns",
                                        (json_int_t)c->t_ns, "detail", text_of(c->detail)));
    }
    return array;
}

static json_t *metrics_of(const struct report *r)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->metric_count; i++) {
        const struct report_metric *m = &r->metrics[i];
        json_t *value = json_real(m->value); /* NULL for NaN and infinity: JSON has none */
        json_t *node = m->host < 0 ? json_null() : json_integer((json_int_t)m->host);
        json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "name", text_of(m->name), "node",
                                               node, "value", value ? value : json_null()));
    }
    return array;
}

static json_t *story_of(const struct report *r)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < r->story_count; i++)
        json_array_append_new(array, text_of(r->story[i]));
    return array;
}

/* What each core that nodes could run is. The program's own has no file. */
static json_t *cores_of(const struct core_list *cores)
{
    json_t *object = json_object();
    json_object_set_new(object, ENGINE_CORE_OWN,
                        json_pack("{s:o}", "build", text_of(vn_api(VN_API_VERSION)->build)));
    for (size_t i = 0; i < cores->count; i++)
        json_object_set_new(object, cores->all[i].name,
                            json_pack("{s:o, s:o, s:s}", "build", text_of(cores->all[i].api->build),
                                      "file", text_of(cores->more[i].file), "sha256",
                                      cores->more[i].sha256));
    return object;
}

static void set_count(json_t *object, const char *key, uint64_t n)
{
    json_object_set_new(object, key, json_integer((json_int_t)n));
}

static json_t *object_of(const struct report *r, const struct report_end *end)
{
    const struct engine_result *result = end->result;
    char seed[32], hash[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->args->seed);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)result->trace_hash);
    json_t *o = json_object();
    json_t *params = json_loads(end->params, JSON_REJECT_DUPLICATES, NULL);
    json_object_set_new(o, "scenario", text_of(r->about->name));
    json_object_set_new(o, "file", text_of(r->args->file));
    json_object_set_new(o, "seed", json_string(seed));
    json_object_set_new(o, "params", params ? params : json_object());
    if (r->args->swarm) /* the kinds of faults that the seed drew */
        json_object_set_new(o, "swarm", json_string(result->swarm));
    json_object_set_new(o, "verdict", json_string(report_verdict_name(end->verdict)));
    json_object_set_new(o, "reason", text_of(end->reason));
    json_object_set_new(o, "checks", checks_of(r));
    json_object_set_new(o, "metrics", metrics_of(r));
    json_object_set_new(o, "story", story_of(r));
    json_object_set_new(o, "trace_hash",
                        r->args->world == ENGINE_SIM ? json_string(hash) : json_null());
    json_object_set_new(o, "world", json_string(args_world_name(r->args->world)));
    set_count(o, "events", result->events);
    set_count(o, "messages", result->messages);
    set_count(o, "bytes", result->bytes);
    set_count(o, "sim_ns", result->sim_ns);
    set_count(o, "wall_ms", end->wall_ms);
    set_count(o, "nodes", result->nodes);
    set_count(o, "peers", result->peers);
    set_count(o, "tip_height", result->tip_height);
    set_count(o, "tips", result->tips);
    json_object_set_new(o, "build", json_string(build_name()));
    json_object_set_new(o, "cores", cores_of(&r->args->cores));
    json_object_set_new(o, "db", end->run_id ? text_of(r->args->db) : json_null());
    json_object_set_new(o, "run_id",
                        end->run_id ? json_integer((json_int_t)end->run_id) : json_null());
    json_object_set_new(o, "verified",
                        end->verified == VERIFY_EQUAL       ? json_true()
                        : end->verified == VERIFY_DIFFERENT ? json_false()
                                                            : json_null());
    return o;
}

void report_json(const struct report *r, const struct report_end *end)
{
    json_t *o = object_of(r, end);
    json_dumpf(o, stdout, JSON_SORT_KEYS | JSON_INDENT(2));
    printf("\n");
    json_decref(o);
}

char *report_json_line(const struct report *r, const struct report_end *end)
{
    json_t *o = object_of(r, end);
    char *line = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(o);
    if (!line)
        abort();
    return line;
}
