/* scenarios/vibenet.d.lua against what a scenario finds: the globals and libraries of the sandbox,
 * the methods of its classes, and the names that each table of options takes, as the code reads it.
 * What is missing on either side is named.
 *
 * A new table of options is found by its options_read in the sources: let `every_table` below read
 * it once, and describe it in a class under a line "---Options of `WHAT`." */
#include "tests/unit/engine_fixture.h"

#include "scenarios/options.h"

#include <ctype.h>
#include <glob.h>
#include <lualib.h>

#define ANNOTATIONS "scenarios/vibenet.d.lua"
#define WORDS_MAX   1000u
#define WORD_MAX    80u

/* A set of words: "sleep", "net:links", "net:links{latency}". */
struct words {
    char word[WORDS_MAX][WORD_MAX];
    size_t count;
};

static struct words described, real;
static char missing[1 << 14];

static bool has(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->word[i], word) == 0)
            return true;
    return false;
}

static void add(struct words *words, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *words, const char *fmt, ...)
{
    char word[WORD_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(word, sizeof word, fmt, args);
    va_end(args);
    assert_true(len > 0 && (size_t)len < sizeof word && words->count < WORDS_MAX);
    if (!has(words, word))
        memcpy(words->word[words->count++], word, sizeof word);
}

static void miss(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void miss(const char *fmt, ...)
{
    size_t at = strlen(missing);
    va_list args;
    va_start(args, fmt);
    vsnprintf(missing + at, sizeof missing - at, fmt, args);
    va_end(args);
}

/* ---- the annotations ---- */

/* The first word `in quotes` of a line, or "". */
static const char *quoted(const char *line, char out[WORD_MAX])
{
    const char *from = strchr(line, '`');
    size_t len = from ? strcspn(from + 1, "`") : 0;
    snprintf(out, WORD_MAX, "%.*s", (int)len, from ? from + 1 : "");
    return out;
}

static size_t name_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

struct reading {
    char table[WORD_MAX]; /* of options: from its "Options of" to the next blank line */
};

static void read_function(const char *name)
{
    size_t n = name_length(name);
    const char *method = name + n;
    if (*method == ':')
        add(&described, "%.*s:%.*s", (int)n, name, (int)name_length(method + 1), method + 1);
    else if (*method == '.')
        add(&described, isupper((unsigned char)*name) ? "%.*s:%.*s" : "%.*s.%.*s", (int)n, name,
            (int)name_length(method + 1), method + 1);
    else
        add(&described, "%.*s", (int)n, name);
}

static void read_line(struct reading *r, const char *line)
{
    size_t n = name_length(line);
    if (strncmp(line, "---Options of ", 14) == 0 || strncmp(line, "---Fields of ", 13) == 0) {
        quoted(line, r->table);
        add(&described, "{%s}", r->table);
    } else if (*line == '\n') {
        r->table[0] = 0;
    } else if (r->table[0] && strncmp(line, "---@field ", 10) == 0) {
        add(&described, "%s{%.*s}", r->table, (int)name_length(line + 10), line + 10);
    } else if (strncmp(line, "function ", 9) == 0) {
        read_function(line + 9);
    } else if (n > 0 && strncmp(line + n, " = ", 3) == 0) {
        add(&described, "%.*s", (int)n, line);
    }
}

static void read_annotations(void)
{
    char line[1000];
    struct reading r = {0};
    FILE *f = fopen(ANNOTATIONS, "r");
    assert_non_null(f);
    described.count = 0;
    while (fgets(line, sizeof line, f)) {
        assert_non_null(strchr(line, '\n'));
        read_line(&r, line);
    }
    fclose(f);
}

/* ---- what there is: tables of options ---- */

void __real_options_read(lua_State *L, int index, const char *what, const struct option *options,
                         size_t count);
void __wrap_options_read(lua_State *L, int index, const char *what, const struct option *table,
                         size_t count);
void __real_options_fields(lua_State *L, const char *what, const char *of,
                           const char *const *names);
void __wrap_options_fields(lua_State *L, const char *what, const char *of,
                           const char *const *names);

void __wrap_options_read(lua_State *L, int index, const char *what, const struct option *table,
                         size_t count)
{
    add(&real, "{%s}", what);
    for (size_t i = 0; i < count; i++)
        add(&real, "%s{%s}", what, table[i].name);
    __real_options_read(L, index, what, table, count);
}

void __wrap_options_fields(lua_State *L, const char *what, const char *of, const char *const *names)
{
    add(&real, "{%s}", of);
    for (size_t i = 0; names[i]; i++)
        add(&real, "%s{%s}", of, names[i]);
    __real_options_fields(L, what, of, names);
}

/* Reads each table of options once. */
static const char every_table[] =
    "pinned { seed = '1' }\n"
    "scenario { name = 't', duration = 100, swarm = { faults = { kill = { every = 20 } } } }\n"
    "function run(net, p)\n"
    "  net:links { latency = 40 * ms }\n"
    "  local g = net:spawn(2, { config = { max_outbound = 8 } })\n"
    "  net:partition(g[1], g[2], { one_way = true })\n"
    "  net:blackhole(g[1], { lasting = 1 })\n"
    "  net:flap(g[1], g[2], { every = 2, down = 1 })\n"
    "  net:degrade(g[1], g[2], { loss = 0.1 })\n"
    "  local peer = net:peer { uplink = 1 * mbit }\n"
    "  g[1]:submit_tx { value = 1 }\n"
    "  g[1]:skew { by = 1 } g[1]:disk { slow = 2 }\n"
    "  g[2]:kill { silently = true } sleep(1) g[2]:restart { lose_disk = true }\n"
    "  for _, kind in ipairs { 'Handshake', 'RequestBlock', 'RequestBlockRange', 'Ping', 'Pong',\n"
    "      'ResponseBlockRange', 'Disconnect' } do peer:frame { kind = kind } end\n"
    "  peer:frame { kind = 'NewBlock', block = { height = 1 } }\n"
    "  peer:frame { kind = 'ResponseBlock', block = { height = 1 } }\n"
    "  peer:frame { kind = 'NewTransaction', tx = { value = 1 } }\n"
    "end\n";

/* Each `what` that a source hands to options_read as a text must have been read above. */
static void look_for_unread_tables(const char *path)
{
    char line[1000];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *call = strstr(line, "options_read(L, ");
        const char *from = call ? strchr(call, '"') : NULL;
        char wanted[WORD_MAX];
        if (!from)
            continue;
        snprintf(wanted, sizeof wanted, "{%.*s}", (int)strcspn(from + 1, "\""), from + 1);
        if (!has(&real, wanted))
            miss("  %s reads options %s, which every_table of test_luacats.c does not\n", path,
                 wanted);
    }
    fclose(f);
}

static void read_tables(void)
{
    glob_t sources;
    run_text(every_table);
    if (result.outcome != ENGINE_PASS)
        fail_msg("%s", result.reason);
    assert_int_equal(glob("scenarios/*.c", 0, NULL, &sources), 0);
    for (size_t i = 0; i < sources.gl_pathc; i++)
        look_for_unread_tables(sources.gl_pathv[i]);
    globfree(&sources);
}

/* ---- what there is: globals and methods ---- */

/* The text keys of the table on top of the stack, prefixed; not those that `stock` (or 0) has. */
static void add_keys(lua_State *L, const char *prefix, int stock)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        bool own = true;
        if (lua_type(L, -2) == LUA_TSTRING && stock) {
            lua_pushvalue(L, -2);
            own = lua_rawget(L, stock) == LUA_TNIL;
            lua_pop(L, 1);
        }
        if (lua_type(L, -2) == LUA_TSTRING && own)
            add(&real, "%s%s", prefix, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
}

/* Copies the names of the table `name` (NULL: the globals) of a Lua as it comes to a set on top of
 * L's stack. */
static void push_stock(lua_State *L, const char *name)
{
    lua_State *stock = luaL_newstate();
    luaL_openlibs(stock);
    lua_pushglobaltable(stock);
    if (name)
        lua_getfield(stock, -1, name);
    lua_newtable(L);
    lua_pushnil(stock);
    while (lua_type(stock, -2) == LUA_TTABLE && lua_next(stock, -2)) {
        lua_pop(stock, 1);
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, lua_tostring(stock, -1));
    }
    lua_close(stock);
}

static void read_globals(lua_State *L)
{
    static const char *const libraries[] = {"coroutine", "math", "string", "table", "utf8"};
    push_stock(L, NULL);
    lua_pushglobaltable(L);
    add_keys(L, "", lua_gettop(L) - 1);
    lua_settop(L, 0);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        char prefix[WORD_MAX];
        snprintf(prefix, sizeof prefix, "%s.", libraries[i]);
        push_stock(L, libraries[i]);
        lua_getglobal(L, libraries[i]);
        add_keys(L, prefix, 1);
        lua_settop(L, 0);
    }
    add(&real, "math.pow"); /* a stock Lua may have it too: not as exact */
}

/* Every metatable of the registry that finds its methods in an upvalue is a class of lua_class. A
 * group's __index has that of its class as upvalue. */
static void read_classes(lua_State *L)
{
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX)) {
        int top = lua_gettop(L);
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1) &&
            lua_getfield(L, -1, "__name") == LUA_TSTRING) {
            char prefix[WORD_MAX];
            snprintf(prefix, sizeof prefix, "%s:", lua_tostring(L, -1));
            prefix[0] = (char)toupper((unsigned char)prefix[0]);
            lua_getfield(L, -2, "__index");
            while (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1))
                ;
            if (lua_istable(L, -1))
                add_keys(L, prefix, 0);
        }
        lua_settop(L, top - 1);
    }
}

static void read_words(void)
{
    struct engine *engine = load_text("scenario { duration = 1 }\nrun = print\n");
    struct run run = {.engine = engine, .options = &options, .phase = RUN_TOP, .has_world = true};
    assert_non_null(engine);
    assert_true(engine_open_state(&run, why, sizeof why));
    lua_pushnil(run.L); /* run is the script's own */
    lua_setglobal(run.L, "run");
    read_globals(run.L);
    read_classes(run.L);
    sandbox_close(&run.sandbox);
    engine_free(engine);
}

/* ---- the test ---- */

static void compare(void)
{
    for (size_t i = 0; i < real.count; i++)
        if (!has(&described, real.word[i]))
            miss("  %s is not described in " ANNOTATIONS "\n", real.word[i]);
    for (size_t i = 0; i < described.count; i++)
        if (!has(&real, described.word[i]))
            miss("  %s is described, and no scenario finds it\n", described.word[i]);
}

static void test_every_word_is_described_and_every_described_word_exists(void **state)
{
    (void)state;
    read_annotations();
    real.count = 0;
    missing[0] = 0;
    read_words();
    read_tables();
    assert_true(real.count > 150); /* it did look */
    compare();
    if (missing[0]) {
        fprintf(stderr, "{WHAT} is a table of options, WHAT{NAME} an option:\n%s", missing);
        fail_msg("%s and the vocabulary differ", ANNOTATIONS);
    }
}

static void test_the_comparison_names_what_is_missing(void **state)
{
    (void)state;
    read_annotations();
    read_words();
    missing[0] = 0;
    add(&real, "net:links{planted}");
    add(&described, "Node:planted");
    compare();
    assert_non_null(strstr(missing, "net:links{planted} is not described"));
    assert_non_null(strstr(missing, "Node:planted is described, and no scenario finds it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_every_word_is_described_and_every_described_word_exists),
        T(test_the_comparison_names_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
