/* See page_watch.h. A link is drawn as the one who dialled it sees it; a scripted peer, which tells
 * nothing, is seen by the node that it dialled. A node that is killed tells no end of its links, so
 * the step ends those that it had dialled. */
#include "vibesim/page_watch.h"

#include "trace/words.h"
#include "vibesim/page_change.h"
#include "vibesim/page_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE        UINT32_MAX
#define BLOCK_SLOTS 65536u /* of the hash table, a power of two above WATCH_BLOCKS_MAX */
#define FEW_DRAWN   50u
#define TEXT_MAX    400u

struct seen_node {
    bool there, miner, scripted;
    uint32_t number; /* of its kind, from 1 */
    uint32_t drawn;  /* place among those drawn; NONE: it is not */
    char *region, *version;
    uint64_t in, out, bytes_in, bytes_out;
    uint32_t mined, reorgs, deepest, bans;
    uint32_t tip, before; /* blocks */
    int64_t final_height; /* -1: unknown */
    char final_tip[12];
};

struct seen_block {
    uint8_t hash[32];
    uint64_t t_ns, height;
    uint32_t parent, branch; /* NONE: unknown */
    int64_t miner;
};

struct watch {
    struct seen_node *nodes;
    uint32_t count, room; /* hosts */
    uint32_t expected, numbers[2], drawn_count, few_drawn[2];
    uint8_t *links; /* WATCH_DRAWN_MAX squared: how many the one has dialled to the other */
    struct changes link_changes, tip_changes;
    struct seen_block *blocks;
    uint32_t block_count, blocks_left_out;
    uint32_t *slots;
    struct watch_flow flow;
    bool has_messages;
    uint32_t steps_left_out, decisions_left_out;
    json_t *steps, *decisions, *story;
    char *words;
};

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (!p)
        abort();
    return p;
}

static char *copy(const char *text)
{
    char *out = text ? strdup(text) : NULL;
    if (text && !out)
        abort();
    return out;
}

struct watch *watch_new(uint32_t hosts)
{
    struct watch *w = allocate(1, sizeof *w);
    w->expected = hosts;
    w->links = allocate(WATCH_DRAWN_MAX, WATCH_DRAWN_MAX);
    w->slots = allocate(BLOCK_SLOTS, sizeof *w->slots);
    w->blocks = allocate(WATCH_BLOCKS_MAX, sizeof *w->blocks);
    memset(w->slots, 0xff, BLOCK_SLOTS * sizeof *w->slots);
    w->link_changes.most = WATCH_LINKS_MAX;
    w->tip_changes.most = WATCH_TIPS_MAX;
    w->flow.until_ns = UINT64_MAX;
    w->steps = json_array();
    w->decisions = json_array();
    w->story = json_array();
    w->words = copy("");
    return w;
}

void watch_moment(struct watch *w, uint64_t until_ns, const char *words)
{
    w->flow.until_ns = until_ns;
    free(w->words);
    w->words = copy(words);
}

void watch_free(struct watch *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        free(w->nodes[i].region);
        free(w->nodes[i].version);
    }
    json_decref(w->steps);
    json_decref(w->decisions);
    json_decref(w->story);
    change_free(&w->link_changes);
    change_free(&w->tip_changes);
    flow_free(&w->flow);
    free(w->nodes);
    free(w->links);
    free(w->slots);
    free(w->blocks);
    free(w->words);
    free(w);
}

/* ---- nodes ---- */

/* Whether the host is one of those that a graph of this many shows. Scripted peers and miners are
 * few as a rule, and what happens comes from them. */
static bool is_drawn(struct watch *w, uint32_t host, const struct seen_node *n)
{
    const uint32_t room = WATCH_DRAWN_MAX - 2 * FEW_DRAWN;
    const uint32_t step = w->expected <= WATCH_DRAWN_MAX ? 1 : (w->expected + room - 1) / room;
    if (w->drawn_count == WATCH_DRAWN_MAX)
        return false;
    if (step > 1 && (n->scripted || n->miner) && w->few_drawn[n->scripted] < FEW_DRAWN) {
        w->few_drawn[n->scripted]++;
        return true;
    }
    return host % step == 0;
}

void watch_node(struct watch *w, uint32_t host, const char *role, const char *region,
                const char *version)
{
    if (host >= w->room) {
        const uint32_t room = host < 64 ? 128 : host * 2;
        w->nodes = realloc(w->nodes, room * sizeof *w->nodes);
        if (!w->nodes)
            abort();
        memset(w->nodes + w->room, 0, (room - w->room) * sizeof *w->nodes);
        w->room = room;
    }
    struct seen_node *n = &w->nodes[host];
    if (n->there)
        return;
    n->there = true;
    n->scripted = role && strcmp(role, "peer") == 0;
    n->miner = role && strcmp(role, "miner") == 0;
    n->number = ++w->numbers[n->scripted];
    n->drawn = is_drawn(w, host, n) ? w->drawn_count++ : NONE;
    n->region = copy(region);
    n->version = copy(version);
    n->tip = n->before = NONE;
    n->final_height = -1;
    w->count = host >= w->count ? host + 1 : w->count;
}

static struct seen_node *node_of(struct watch *w, uint64_t host)
{
    return host < w->count && w->nodes[host].there ? &w->nodes[host] : NULL;
}

void watch_final(struct watch *w, uint32_t host, int64_t height, const char *tip)
{
    struct seen_node *n = node_of(w, host);
    if (!n)
        return;
    n->final_height = height;
    snprintf(n->final_tip, sizeof n->final_tip, "%.8s", tip ? tip : "");
}

/* ---- links ---- */

void watch_link(struct watch *w, uint64_t t_ns, uint32_t host, uint32_t peer, uint64_t link,
                bool up)
{
    const struct seen_node *n = node_of(w, host), *p = node_of(w, peer);
    if (!n || !p || host == peer || (link % 2 == 0 && !p->scripted))
        return;
    const uint32_t from = link % 2 ? host : peer, to = link % 2 ? peer : host;
    const uint32_t a = w->nodes[from].drawn, b = w->nodes[to].drawn;
    if (a == NONE || b == NONE)
        return;
    uint8_t *open = &w->links[a * WATCH_DRAWN_MAX + b];
    if (up ? *open == UINT8_MAX : *open == 0)
        return;
    *open = (uint8_t)(up ? *open + 1 : *open - 1);
    if (*open == up)
        change_add(&w->link_changes, &(struct change){t_ns, from, to, up});
}

static void end_links(struct watch *w, uint64_t t_ns, uint32_t host)
{
    const struct seen_node *n = node_of(w, host);
    if (!n || n->drawn == NONE)
        return;
    for (uint32_t peer = 0; peer < w->count; peer++) {
        const uint32_t drawn = w->nodes[peer].there ? w->nodes[peer].drawn : NONE;
        uint8_t *open = &w->links[n->drawn * WATCH_DRAWN_MAX + (drawn == NONE ? 0 : drawn)];
        if (drawn == NONE || *open == 0)
            continue;
        *open = 0;
        change_add(&w->link_changes, &(struct change){t_ns, host, peer, 0});
    }
}

/* ---- what the scenario does ---- */

void watch_step(struct watch *w, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    if (host >= 0 && strcmp(kind, "kill") == 0)
        end_links(w, t_ns, (uint32_t)host);
    if (json_array_size(w->steps) == WATCH_STEPS_MAX) {
        w->steps_left_out++;
        return;
    }
    json_t *row = json_array();
    json_array_append_new(row, page_us(t_ns));
    json_array_append_new(row, page_text(kind, 40));
    json_array_append_new(row, json_integer((json_int_t)host));
    json_array_append_new(row, page_text(detail, TEXT_MAX));
    json_array_append_new(w->steps, row);
}

void watch_decision(struct watch *w, uint64_t t_ns, uint32_t no, const char *kind,
                    const char *params, bool taken)
{
    if (json_array_size(w->decisions) == WATCH_STEPS_MAX) {
        w->decisions_left_out++;
        return;
    }
    json_t *row = json_array();
    json_array_append_new(row, json_integer(no));
    json_array_append_new(row, page_us(t_ns));
    json_array_append_new(row, page_text(kind, 40));
    json_array_append_new(row, page_json(params));
    json_array_append_new(row, json_integer(taken));
    json_array_append_new(w->decisions, row);
}

void watch_story(struct watch *w, const char *line)
{
    if (json_array_size(w->story) < 100)
        json_array_append_new(w->story, page_text(line, TEXT_MAX));
}

/* ---- blocks and tips ---- */

/* The block's place; a new one's, if it is not known; NONE if there is no room for it. */
static uint32_t block_of(struct watch *w, const uint8_t hash[32], bool make)
{
    uint32_t slot;
    memcpy(&slot, hash, sizeof slot);
    for (slot %= BLOCK_SLOTS; w->slots[slot] != NONE; slot = (slot + 1) % BLOCK_SLOTS)
        if (memcmp(w->blocks[w->slots[slot]].hash, hash, 32) == 0)
            return w->slots[slot];
    if (!make)
        return NONE;
    if (w->block_count == WATCH_BLOCKS_MAX) {
        w->blocks_left_out++;
        return NONE;
    }
    struct seen_block *b = &w->blocks[w->block_count];
    *b = (struct seen_block){.parent = NONE, .branch = NONE, .miner = -1, .t_ns = UINT64_MAX};
    memcpy(b->hash, hash, sizeof b->hash);
    return w->slots[slot] = w->block_count++;
}

void watch_block(struct watch *w, uint64_t t_ns, const uint8_t hash[32], uint64_t height,
                 const uint8_t parent[32], int64_t miner)
{
    const uint32_t at = block_of(w, hash, true);
    if (at == NONE)
        return;
    struct seen_block *b = &w->blocks[at];
    b->height = height;
    b->t_ns = t_ns < b->t_ns ? t_ns : b->t_ns;
    if (parent && b->parent == NONE)
        b->parent = block_of(w, parent, false);
    if (miner >= 0 && b->miner < 0) {
        b->miner = miner;
        if (node_of(w, (uint64_t)miner))
            w->nodes[miner].mined++;
    }
}

void watch_tip(struct watch *w, uint64_t t_ns, uint32_t host, const uint8_t hash[32],
               uint64_t height, uint64_t reorg)
{
    struct seen_node *n = node_of(w, host);
    const uint32_t at = block_of(w, hash, true);
    if (!n || at == NONE)
        return;
    w->blocks[at].height = height;
    w->blocks[at].t_ns = t_ns < w->blocks[at].t_ns ? t_ns : w->blocks[at].t_ns;
    n->before = n->tip != NONE && w->blocks[n->tip].height + 1 == height ? n->tip : NONE;
    n->tip = at;
    n->reorgs += reorg > 0;
    n->deepest = reorg > n->deepest ? (uint32_t)(reorg > NONE ? NONE : reorg) : n->deepest;
    if (n->drawn != NONE)
        change_add(&w->tip_changes, &(struct change){t_ns, host, 0, at});
    char text[80];
    snprintf(text, sizeof text,
             reorg ? "%02x%02x%02x%02x at %llu, %llu replaced" : "%02x%02x%02x%02x at %llu",
             hash[0], hash[1], hash[2], hash[3], (unsigned long long)height,
             (unsigned long long)reorg);
    watch_mark(w, t_ns, host, -1, reorg ? "reorg" : "tip", text);
}

/* ---- messages and marks ---- */

void watch_message(struct watch *w, uint64_t t_ns, uint32_t host, uint32_t peer, const char *kind,
                   uint64_t bytes, bool out)
{
    struct seen_node *n = node_of(w, host);
    if (!n)
        return;
    w->has_messages = true;
    *(out ? &n->out : &n->in) += 1;
    *(out ? &n->bytes_out : &n->bytes_in) += bytes;
    flow_message(&w->flow, &(struct watch_message){t_ns, bytes, host, peer, kind, out});
}

void watch_mark(struct watch *w, uint64_t t_ns, uint32_t host, int64_t peer, const char *kind,
                const char *text)
{
    struct watch_mark m = {.t_ns = t_ns, .host = host, .peer = peer};
    struct seen_node *n = node_of(w, host);
    if (n && strcmp(kind, "ban") == 0)
        n->bans++;
    snprintf(m.kind, sizeof m.kind, "%s", kind);
    snprintf(m.text, sizeof m.text, "%s", text ? text : "");
    flow_mark(&w->flow, &m);
}

/* ---- a run that is made again ---- */

static void on_node(void *ctx, uint32_t host, const char *role, const char *region,
                    const char *version)
{
    watch_node(ctx, host, role, region, version);
}

/* The block that the host mined on. */
static void on_mined(struct watch *w, uint64_t t_ns, uint32_t host, const struct vn_trace *trace)
{
    const struct seen_node *n = node_of(w, host);
    uint32_t parent = NONE;
    if (n && n->tip != NONE && memcmp(w->blocks[n->tip].hash, trace->hash, 32) == 0)
        parent = n->before;
    else if (n && n->tip != NONE && w->blocks[n->tip].height + 1 == trace->a)
        parent = n->tip;
    watch_block(w, t_ns, trace->hash, trace->a, parent == NONE ? NULL : w->blocks[parent].hash,
                host);
}

static void on_trace(void *ctx, uint64_t t_ns, uint32_t host, const struct vn_trace *trace,
                     uint32_t peer)
{
    struct watch *w = ctx;
    const int64_t other = peer == UINT32_MAX ? -1 : (int64_t)peer;
    const bool message = trace->kind == VN_TR_MSG_IN || trace->kind == VN_TR_MSG_OUT;
    if (message)
        watch_message(w, t_ns, host, peer, vn_message_name((uint32_t)trace->a), trace->b,
                      trace->kind == VN_TR_MSG_OUT);
    else if (trace->kind == VN_TR_PEER_STATE &&
             (trace->a == VN_PEER_READY) != (trace->b == VN_PEER_READY))
        watch_link(w, t_ns, host, peer, trace->link, trace->b == VN_PEER_READY);
    else if (trace->kind == VN_TR_TIP && trace->hash)
        watch_tip(w, t_ns, host, trace->hash, trace->a, trace->b);
    else if (trace->kind == VN_TR_MINED && trace->hash)
        on_mined(w, t_ns, host, trace);
    else if (trace->kind == VN_TR_BLOCK_NEW && trace->hash)
        watch_block(w, t_ns, trace->hash, trace->a, NULL, -1);
    else if (trace->kind != VN_TR_PEER_STATE)
        watch_mark(w, t_ns, host, other, vn_trace_name(trace->kind), trace->text);
}

static void on_step(void *ctx, uint64_t t_ns, const char *kind, int64_t host, const char *detail)
{
    watch_step(ctx, t_ns, kind, host, detail);
}

static void on_decision(void *ctx, uint64_t t_ns, uint32_t no, const char *kind, const char *params,
                        bool taken)
{
    watch_decision(ctx, t_ns, no, kind, params, taken);
}

static void on_log(void *ctx, uint64_t t_ns, const char *text)
{
    watch_step(ctx, t_ns, "log", -1, text);
}

static void on_story(void *ctx, const char *line)
{
    watch_story(ctx, line);
}

void watch_observe(struct watch *w, struct engine_observer *observer)
{
    static const enum vn_trace_kind kinds[] = {VN_TR_PEER_STATE, VN_TR_MSG_IN,    VN_TR_MSG_OUT,
                                               VN_TR_BLOCK_NEW,  VN_TR_BLOCK_BAD, VN_TR_MINED,
                                               VN_TR_TIP,        VN_TR_BAN,       VN_TR_UNBAN,
                                               VN_TR_VIOLATION,  VN_TR_DISCONNECT};
    *observer = (struct engine_observer){.ctx = w,
                                         .on_node = on_node,
                                         .on_trace = on_trace,
                                         .on_step = on_step,
                                         .on_decision = on_decision,
                                         .on_log = on_log,
                                         .on_story = on_story};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        observer->trace_mask |= UINT64_C(1) << kinds[i];
}

void watch_on_final(void *ctx, uint32_t host, uint64_t height, const uint8_t tip[32])
{
    char text[12];
    snprintf(text, sizeof text, "%02x%02x%02x%02x", tip[0], tip[1], tip[2], tip[3]);
    watch_final(ctx, host, (int64_t)height, text);
}

/* ---- branches ---- */

static int by_height(const void *a, const void *b)
{
    const struct seen_block *const *x = a, *const *y = b;
    if ((*x)->height != (*y)->height)
        return (*x)->height > (*y)->height ? -1 : 1;
    if ((*x)->t_ns != (*y)->t_ns)
        return (*x)->t_ns < (*y)->t_ns ? -1 : 1;
    return memcmp((*x)->hash, (*y)->hash, 32);
}

/* The tip that most nodes end with, of those the highest block; NONE without any. */
static uint32_t last_tip(const struct watch *w)
{
    uint32_t *ends = allocate(w->block_count + 1, sizeof *ends), best = NONE;
    for (uint32_t i = 0; i < w->count; i++)
        if (w->nodes[i].there && w->nodes[i].tip != NONE)
            ends[w->nodes[i].tip]++;
    for (uint32_t i = 0; i < w->block_count; i++)
        if (ends[i] && (best == NONE || ends[i] > ends[best] ||
                        (ends[i] == ends[best] && w->blocks[i].height > w->blocks[best].height)))
            best = i;
    free(ends);
    return best;
}

/* From a block down to what belongs to a branch already. A damaged record may hold a circle. */
static void mark_branch(struct watch *w, uint32_t from, uint32_t branch)
{
    for (; from != NONE && w->blocks[from].branch == NONE; from = w->blocks[from].parent)
        w->blocks[from].branch = branch;
}

/* Branch 0 is the chain that most nodes end on; then the highest blocks of all others come first.
 */
static void find_branches(struct watch *w)
{
    struct seen_block **order = allocate(w->block_count + 1, sizeof *order);
    uint32_t branch = 1;
    for (uint32_t i = 0; i < w->block_count; i++) {
        w->blocks[i].branch = NONE;
        order[i] = &w->blocks[i];
    }
    if (w->block_count)
        qsort(order, w->block_count, sizeof *order, by_height);
    mark_branch(w, last_tip(w), 0);
    for (uint32_t i = 0; i < w->block_count; i++)
        if (order[i]->branch == NONE)
            mark_branch(w, (uint32_t)(order[i] - w->blocks), branch++);
    free(order);
}

/* ---- as JSON ---- */

static json_t *count_json(const struct watch *w, uint64_t n)
{
    return w->has_messages ? page_whole(n) : json_null();
}

static void add_node(const struct watch *w, uint32_t host, json_t *list)
{
    const struct seen_node *n = &w->nodes[host];
    char name[24];
    words_host(name, n->scripted, n->number);
    json_t *row = json_array();
    json_array_append_new(row, json_integer(host));
    json_array_append_new(row, json_string(name));
    json_array_append_new(row, json_string(n->scripted ? "peer" : n->miner ? "miner" : "node"));
    json_array_append_new(row, page_text(n->region, 60));
    json_array_append_new(row, page_text(n->version, 40));
    json_array_append_new(row, json_integer(n->drawn == NONE ? -1 : (json_int_t)n->drawn));
    json_array_append_new(row, json_integer(n->final_height));
    json_array_append_new(row, page_text(n->final_tip, 8));
    json_array_append_new(row, json_integer(n->mined));
    json_array_append_new(row, json_integer(n->reorgs));
    json_array_append_new(row, json_integer(n->deepest));
    json_array_append_new(row, json_integer(n->bans));
    json_array_append_new(row, count_json(w, n->in));
    json_array_append_new(row, count_json(w, n->out));
    json_array_append_new(row, count_json(w, n->bytes_in));
    json_array_append_new(row, count_json(w, n->bytes_out));
    json_array_append_new(list, row);
}

static json_t *blocks_json(const struct watch *w)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < w->block_count; i++) {
        const struct seen_block *b = &w->blocks[i];
        json_t *row = json_array();
        json_array_append_new(row, page_short_hash(b->hash));
        json_array_append_new(row, page_whole(b->height));
        json_array_append_new(row, json_integer(b->parent == NONE ? -1 : (json_int_t)b->parent));
        json_array_append_new(row, json_integer((json_int_t)b->miner));
        json_array_append_new(row, page_us(b->t_ns));
        json_array_append_new(row, json_integer(b->branch));
        json_array_append_new(list, row);
    }
    return list;
}

/* Flat: of each change the microseconds since the one before, what changes, and to what. */
static json_t *changes_json(const struct changes *c, bool two)
{
    json_t *list = json_array();
    uint64_t before_us = 0;
    for (size_t i = 0; i < c->count; i++) {
        const uint64_t us = c->list[i].t_ns / 1000;
        json_array_append_new(list, page_whole(us - before_us));
        json_array_append_new(list, json_integer(c->list[i].a));
        if (two)
            json_array_append_new(list, json_integer(c->list[i].b));
        json_array_append_new(list, json_integer(c->list[i].value));
        before_us = us;
    }
    return list;
}

static void note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(json_t *notes, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(notes, json_string(text));
}

static void note_changes(json_t *notes, const struct changes *c, const char *what)
{
    if (c->interval_ns)
        note(notes, "Changes of %s are told to %" PRIu64 " ms: there were more than %zu.", what,
             c->interval_ns / 1000000, c->most);
}

static json_t *notes_json(const struct watch *w, uint32_t there, size_t rows)
{
    json_t *notes = json_array();
    if (w->drawn_count < there)
        note(notes,
             "The graph draws %" PRIu32 " of %" PRIu32 " nodes: miners and scripted peers "
             "first, others evenly.",
             w->drawn_count, there);
    if (rows < there)
        note(notes, "The table of nodes holds those of the graph: %zu of %" PRIu32 ".", rows,
             there);
    note_changes(notes, &w->link_changes, "links");
    note_changes(notes, &w->tip_changes, "tips");
    if (w->blocks_left_out)
        note(notes, "Only the first %u blocks are told.", WATCH_BLOCKS_MAX);
    if (w->steps_left_out)
        note(notes, "%" PRIu32 " steps after the first %u are left out.", w->steps_left_out,
             WATCH_STEPS_MAX);
    if (w->decisions_left_out)
        note(notes, "%" PRIu32 " decisions after the first %u are left out.", w->decisions_left_out,
             WATCH_STEPS_MAX);
    return notes;
}

/* The hosts that the words name. */
static void find_named(struct watch *w)
{
    char name[24];
    for (uint32_t i = 0; i < w->count && w->flow.named_count < WATCH_LANES_MAX; i++) {
        words_host(name, w->nodes[i].scripted, w->nodes[i].number);
        if (w->nodes[i].there && strstr(w->words, name))
            w->flow.named[w->flow.named_count++] = i;
    }
}

json_t *watch_json(struct watch *w)
{
    json_t *o = json_object(), *nodes = json_array();
    uint32_t there = w->numbers[0] + w->numbers[1];
    change_end(&w->link_changes);
    change_end(&w->tip_changes);
    find_branches(w);
    find_named(w);
    for (uint32_t i = 0; i < w->count; i++)
        if (w->nodes[i].there && (there <= WATCH_ROWS_MAX || w->nodes[i].drawn != NONE))
            add_node(w, i, nodes);
    json_object_set_new(o, "notes", notes_json(w, there, json_array_size(nodes)));
    json_object_set_new(o, "nodes", nodes);
    json_object_set_new(o, "blocks", blocks_json(w));
    json_object_set_new(o, "links", changes_json(&w->link_changes, true));
    json_object_set_new(o, "tips", changes_json(&w->tip_changes, false));
    json_object_set_new(o, "flow", flow_json(&w->flow, w->count));
    json_object_set(o, "steps", w->steps);
    json_object_set(o, "decisions", w->decisions);
    json_object_set(o, "story", w->story);
    return o;
}
