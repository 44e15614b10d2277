/* Copies rows of runs between records; see recorder_copy.h. */
#include "store/recorder_copy.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX 2048u

int copy_read_names(sqlite3 *db, const char *sql, const char *argument, struct copy_names *out)
{
    sqlite3_stmt *stmt;
    out->count = 0;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (argument)
        sqlite3_bind_text(stmt, 1, argument, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && out->count < COPY_NAMES_MAX) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(out->name[out->count++], COPY_NAME_SIZE, "%s", name ? name : "");
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc == SQLITE_ROW ? SQLITE_TOOBIG : rc;
}

int copy_run_tables(sqlite3 *db, struct copy_names *out)
{
    return copy_read_names(db,
                           "SELECT m.name FROM main.sqlite_master m, pragma_table_info(m.name) c"
                           " WHERE m.type = 'table' AND c.name = 'run_id' ORDER BY m.name",
                           NULL, out);
}

int copy_attach(sqlite3 *db, const char *part)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, "ATTACH ?1 AS part", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(stmt, 1, part, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Appends one more of a list: a name of a column in brackets, so that none is read as a word of
 * SQL, behind `of`; or, if there is any, SQL in its place. */
static void append(char list[SQL_MAX], const char *of, const char *name, const char *instead)
{
    size_t used = strlen(list);
    const char *comma = used ? ", " : "";
    if (instead)
        snprintf(list + used, SQL_MAX - used, "%s%s", comma, instead);
    else
        snprintf(list + used, SQL_MAX - used, "%s%s[%s]", comma, of, name);
}

/* Columns that both have, and the key's of main. */
static int read_columns(sqlite3 *db, const char *table, struct copy_names *columns,
                        struct copy_names *keys)
{
    int rc = copy_read_names(db,
                             "SELECT m.name FROM pragma_table_info(?1, 'main') m"
                             " JOIN pragma_table_info(?1, 'part') p ON p.name = m.name"
                             " ORDER BY m.cid",
                             table, columns);
    if (rc == SQLITE_OK)
        rc = copy_read_names(
            db, "SELECT name FROM pragma_table_info(?1, 'main') WHERE pk > 0 ORDER BY pk", table,
            keys);
    return rc;
}

int copy_table(const struct copy *copy, const char *table, const char *id)
{
    struct copy_names columns, keys;
    int rc = read_columns(copy->db, table, &columns, &keys);
    if (rc != SQLITE_OK || !columns.count)
        return rc;
    char into[SQL_MAX] = "", from[SQL_MAX] = "", order[SQL_MAX] = "";
    for (int i = 0; i < columns.count; i++) {
        append(into, "", columns.name[i], NULL);
        append(from, "t.", columns.name[i], strcmp(columns.name[i], id) == 0 ? copy->new_id : NULL);
    }
    append(order, "", NULL, copy->new_id);
    for (int i = 0; i < keys.count; i++)
        if (strcmp(keys.name[i], id) != 0)
            append(order, "t.", keys.name[i], NULL);
    if (!keys.count)
        append(order, "", NULL, "t.rowid");
    char join[200] = "", sql[3 * SQL_MAX + 300];
    if (copy->join)
        snprintf(join, sizeof join, " %s = t.[%s]", copy->join, id);
    snprintf(sql, sizeof sql,
             "INSERT INTO main.[%s](%s) SELECT %s FROM part.[%s] AS t%s ORDER BY %s", table, into,
             from, table, join, order);
    sqlite3_stmt *stmt;
    rc = sqlite3_prepare_v2(copy->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    if (copy->argument)
        sqlite3_bind_int64(stmt, 1, copy->argument);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
