/* The options that all commands which make runs have in common: one table (in cli_args.c) says who
 * has which. A command of its own makes its parser of this:
 *
 *     args_run_init(&args);
 *     args_run_names(names, ARGS_SWEEP, own);
 *     while (words_next(&w, &name, &word, &wrong))
 *         ... !name ? args_run_file : one of its own ? ... : args_run_option ...
 *     args_run_files_end(&args);
 *
 * What is wrong is told in one line on stderr, with false. */
#ifndef VIBESIM_CLI_ARGS_RUN_H
#define VIBESIM_CLI_ARGS_RUN_H

#include "vibesim/cli_args.h"
#include "vibesim/cli_words.h"

enum args_who { ARGS_RUN = 1, ARGS_SWEEP = 2, ARGS_CHECK = 4 };

#define ARGS_NAMES_MAX 64u

void args_run_init(struct args_run *args);

/* The options that the command has: those in common, and its own (NULL-terminated; may be NULL). */
void args_run_names(const char *names[ARGS_NAMES_MAX], enum args_who who, const char *const *own);

/* Takes an option in common, just read. */
bool args_run_option(struct args_run *args, struct words *words, const char *name);

/* Takes the name of a scenario; false if it was given already. */
bool args_run_file(struct args_run *args, const char *word);

/* Of several files those that only describe words to editors (*.d.lua) are passed over, so that a
 * shell's *.lua names all scenarios of a folder. */
void args_run_files_end(struct args_run *args);

#endif
