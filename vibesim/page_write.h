/* The report's page: the template of vibesim/report with the data put in, written to a file. */
#ifndef VIBESIM_PAGE_WRITE_H
#define VIBESIM_PAGE_WRITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The template, made by the build; it holds PAGE_MARK once. */
extern const unsigned char page_template[];
extern const size_t page_template_len;

#define PAGE_MARK "@@DATA@@"

/* Writes the page. The data cannot leave its place in it: every '<' is written "\u003c". */
bool page_write(FILE *out, const json_t *data);

/* Writes it to a file, whole or not at all: beside its name first, then renamed. "-" is stdout.
 * False with a line in why. */
bool page_write_file(const char *path, const json_t *data, uint64_t *bytes, char *why, size_t size);

#endif
