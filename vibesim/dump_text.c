/* A dump for people: each member of the object is a section; an object is a line for each value, a
 * list of objects a table whose columns are as wide as their widest value. */
#include "vibesim/dump.h"

#include <inttypes.h>
#include <string.h>

#define COLUMNS_MAX 24
#define VALUE_MAX   80

static bool is_time(const char *key)
{
    const size_t len = strlen(key);
    return len > 3 && strcmp(key + len - 3, "_ns") == 0;
}

/* "latency_ns" is called "latency", for its value has a unit. */
static void name_of(char out[VALUE_MAX], const char *key)
{
    snprintf(out, VALUE_MAX, "%s", key);
    if (is_time(key))
        out[strlen(out) - 3] = 0;
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = ' ';
}

static void value_of(char out[VALUE_MAX], const char *key, const json_t *value)
{
    const json_int_t n = json_integer_value(value);
    const uint64_t magnitude = n < 0 ? -(uint64_t)n : (uint64_t)n;
    if (json_is_integer(value) && is_time(key))
        snprintf(out, VALUE_MAX, "%s%" PRIu64 ".%09" PRIu64 " s", n < 0 ? "-" : "",
                 magnitude / 1000000000u, magnitude % 1000000000u);
    else if (json_is_integer(value))
        snprintf(out, VALUE_MAX, "%" JSON_INTEGER_FORMAT, n);
    else if (json_is_real(value))
        snprintf(out, VALUE_MAX, "%g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(out, VALUE_MAX, "%s", json_is_true(value) ? "yes" : "no");
    else
        snprintf(out, VALUE_MAX, "%s", json_is_string(value) ? json_string_value(value) : "-");
}

static void table(FILE *out, const json_t *list)
{
    int widths[COLUMNS_MAX] = {0};
    char text[VALUE_MAX];
    const char *key;
    json_t *row, *value;
    size_t i;
    json_array_foreach(list, i, row)
    {
        int column = 0;
        json_object_foreach(row, key, value)
        {
            value_of(text, key, value);
            const int width = (int)strlen(text);
            widths[column] = width > widths[column] ? width : widths[column];
            name_of(text, key);
            const int head = (int)strlen(text);
            widths[column] = head > widths[column] ? head : widths[column];
            column += column < COLUMNS_MAX - 1;
        }
    }
    for (size_t line = 0; line <= json_array_size(list); line++) {
        int column = 0, pending = 0; /* no blanks at the end of a line */
        fputs("  ", out);
        json_object_foreach(json_array_get(list, line ? line - 1 : 0), key, value)
        {
            if (line)
                value_of(text, key, value);
            else
                name_of(text, key);
            fprintf(out, "%*s%s", pending, "", text);
            pending = widths[column] - (int)strlen(text) + 2;
            column += column < COLUMNS_MAX - 1;
        }
        fputc('\n', out);
    }
}

static void section(FILE *out, const json_t *object)
{
    char name[VALUE_MAX], text[VALUE_MAX];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        name_of(name, key);
        if (json_is_array(value)) {
            fprintf(out, "  %s: %zu\n", name, json_array_size(value));
            if (json_array_size(value))
                table(out, value);
            continue;
        }
        value_of(text, key, value);
        fprintf(out, "  %-22s %s\n", name, text);
    }
}

void dump_text(FILE *out, const json_t *dump)
{
    char name[VALUE_MAX];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)dump, key, value)
    {
        name_of(name, key);
        if (json_is_array(value))
            fprintf(out, "%s (%zu)\n", name, json_array_size(value));
        else
            fprintf(out, "%s\n", name);
        if (json_is_array(value) && json_array_size(value))
            table(out, value);
        else if (json_is_object(value))
            section(out, value);
    }
}
